/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The plot: lanes of bars and points on a canvas, what lies under the pointer, the map of the whole above it. */
'use strict';

const GUTTER = 168, AXIS = 24, HEAD = 24, ROW = 17, GAP = 7;

/* State (or kind:state) -> colour of the bar, of its words, hatched? */
const LOOK = {
  off: ['gone', 'gone-ink', true], boots: ['busy', 'busy-ink'], runs: ['runs', 'runs-ink'], frozen: ['cold', 'cold-ink', true],
  panicked: ['bad', 'bad-ink', true], up: ['runs', 'runs-ink'], hung: ['warn', 'warn-ink', true],
  quorate: ['view', 'view-ink'], 'no quorum': ['warn', 'warn-ink'], syncing: ['busy', 'busy-ink'],
  waiting: ['lock-soft', 'lock-soft-ink', true], granted: ['lock', 'lock-ink'], converting: ['lock-soft', 'lock-soft-ink'],
  blocked: ['warn', 'warn-ink', true], claimed: ['own-soft', 'own-soft-ink'], active: ['own', 'own-ink'],
  starting: ['serve-soft', 'serve-soft-ink', true], running: ['serve', 'serve-ink'], stopping: ['serve-soft', 'serve-soft-ink', true],
  stuck: ['bad', 'bad-ink', true], victim: ['bad', 'bad-ink'], 'proven dead': ['gone', 'gone-ink'],
  asked: ['busy', 'busy-ink', true], done: ['ok', 'ok-ink'], failed: ['bad', 'bad-ink'], timeout: ['warn', 'warn-ink', true],
  registered: ['own-soft', 'own-soft-ink'], 'cut off': ['bad', 'bad-ink', true], armed: ['runs', 'runs-ink'],
  'not petted': ['warn', 'warn-ink', true], held: ['warn', 'warn-ink', true], newer: ['view', 'view-ink'],
  'reads off': ['ok', 'ok-ink'], 'reads on': ['bad', 'bad-ink'], unknown: ['warn', 'warn-ink'],
};
const plain = ['busy', 'busy-ink'];

let colours = {}, hatches = {};

function readColours(ctx) {
  const style = getComputedStyle(document.documentElement);
  colours = new Proxy({}, { get: (o, k) => o[k] || (o[k] = style.getPropertyValue('--' + k).trim()) });
  hatches = {};
}

function hatch(ctx, colour) {
  if (hatches[colour]) return hatches[colour];
  const c = document.createElement('canvas'), d = 8;
  c.width = c.height = d;
  const g = c.getContext('2d');
  g.fillStyle = colours[colour];
  g.fillRect(0, 0, d, d);
  g.strokeStyle = colours.bg;
  g.globalAlpha = 0.38;
  g.lineWidth = 2;
  g.beginPath();
  for (let k = -d; k <= d; k += d) { g.moveTo(k - 1, d + 1); g.lineTo(k + d + 1, -1); }
  g.stroke();
  return hatches[colour] = ctx.createPattern(c, 'repeat');
}

/* Where each lane lies, from above; folded nodes have their head alone. */
function layout(view) {
  const rows = [];
  let y = AXIS + 4, node = -1;
  for (const l of view.model.lanes) {
    if (l.kind === 'sent' && !view.messages) continue;
    if (l.kind !== 'node' && !l.bars.length && l.points.every(p => p.end)) continue; /* it only ever ended */
    if (l.node !== node) {
      if (node !== -1) y += GAP;
      node = l.node;
      rows.push({ head: true, node, y, h: HEAD, lane: l.kind === 'node' ? l : null });
      y += HEAD;
      if (l.kind === 'node') continue;
    }
    if (view.folded.has(node)) continue;
    rows.push({ lane: l, node, y, h: ROW * l.rows });
    y += ROW * l.rows;
  }
  view.rows = rows;
  view.height = y + 12;
  view.span = new Map(); /* node -> [top, bottom] */
  for (const r of rows) {
    const s = view.span.get(r.node) || [r.y, r.y];
    view.span.set(r.node, [s[0], r.y + r.h]);
  }
}

function niceStep(ms) {
  const p = Math.pow(10, Math.floor(Math.log10(Math.max(ms, 0.001))));
  for (const k of [1, 2, 5, 10]) if (k * p >= ms) return Math.max(1, k * p);
  return 10 * p;
}

function drawPlot(view, ctx, w, h) {
  const m = view.model, X = ms => GUTTER + (view.scale.toU(ms) - view.u0) * view.px, top = -view.y;
  const from = view.scale.toT(view.u0), to = view.scale.toT(view.u0 + (w - GUTTER) / view.px);
  const hits = view.hits = [];
  ctx.clearRect(0, 0, w, h);
  ctx.fillStyle = colours.bg;
  ctx.fillRect(0, 0, w, h);
  ctx.textBaseline = 'middle';
  ctx.save();
  ctx.beginPath();
  ctx.rect(GUTTER, 0, w - GUTTER, h);
  ctx.clip();

  /* bands of nodes, stretches without events, faults that last */
  for (const [node, s] of view.span) {
    if (node % 2) { ctx.fillStyle = colours.band; ctx.fillRect(GUTTER, s[0] + top - 2, w, s[1] - s[0] + 4); }
  }
  for (const [a, b] of view.squeeze ? view.scale.gaps : []) {
    const x = X(a), x1 = X(b);
    if (x1 < GUTTER || x > w || x1 - x < 12) continue;
    ctx.fillStyle = colours.line;
    ctx.globalAlpha = 0.45;
    for (let g = Math.max(x + 3, GUTTER - 9 + (x + 3) % 6); g < Math.min(x1 - 2, w); g += 6) ctx.fillRect(g, AXIS, 1, h);
    ctx.globalAlpha = 1;
  }
  for (const l of m.lanes) for (const f of l.faults) {
    const x0 = X(f.t0), x1 = Math.max(X(f.t1), x0 + 1), s = view.span.get(l.node);
    if (x1 < GUTTER || x0 > w || !s) continue;
    const whole = l.node === 0, y0 = whole ? AXIS : s[0] + top, y1 = whole ? h : s[1] + top;
    ctx.fillStyle = colours.fault;
    ctx.globalAlpha = whole ? 0.06 : 0.11;
    ctx.fillRect(x0, y0, x1 - x0, y1 - y0);
    ctx.globalAlpha = 0.55;
    ctx.fillRect(x0, y0, 1, y1 - y0);
    if (f.t1 !== f.t0 && !f.endless) ctx.fillRect(x1, y0, 1, y1 - y0);
    ctx.globalAlpha = 1;
  }

  const ticks = [];
  for (let x = GUTTER + 4, t = from; x < w;) {
    let step = niceStep(view.scale.toT(view.u0 + (x - GUTTER + 84) / view.px) - view.scale.toT(view.u0 + (x - GUTTER) / view.px));
    if (stepwise && step < 1000) step = 1000;
    t = Math.ceil((view.scale.toT(view.u0 + (x - GUTTER) / view.px) + 1e-6) / step) * step;
    const tx = X(t);
    if (!(tx < w) || t > m.t1) break;
    ticks.push([tx, t, step]);
    x = Math.max(tx, x) + 70;
  }
  ctx.fillStyle = colours.line;
  for (const [x] of ticks) ctx.fillRect(Math.round(x), AXIS - 3, 1, h);

  for (const r of view.rows) {
    const y = r.y + top, l = r.lane;
    if (!l || y + r.h < AXIS || y > h) continue;
    drawBars(view, ctx, l, y, r, X, w, hits);
    drawPoints(view, ctx, l, y, r, X, w, hits);
  }
  if (view.messages) drawLinks(view, ctx, X, top, w);
  drawBroken(view, ctx, X, top, w, h);
  drawChosen(view, ctx, X, top, h);
  if (view.hover !== null) {
    ctx.fillStyle = colours.dim;
    ctx.globalAlpha = 0.6;
    ctx.fillRect(view.hover, AXIS, 1, h);
    ctx.globalAlpha = 1;
  }
  ctx.restore();
  drawAxis(view, ctx, ticks, w);
  drawGutter(view, ctx, top, h);
}

function drawBars(view, ctx, l, y, r, X, w, hits) {
  const head = !!r.head, size = head ? HEAD - 6 : ROW - 3;
  let edge = -1, n = 0;
  for (const b of l.bars) {
    const x0 = X(b.t0), x1 = X(b.t1);
    if (x1 < GUTTER - 2 || x0 > w) continue;
    const thin = b.kind === 'process' && b.state === 'up';
    /* at a far zoom thousands lie on one pixel: draw what can be seen */
    if (x1 - x0 < 0.4 && Math.round(x0) === edge && ++n > 3) { hits.push([x0 - 1, y, x0 + 2, y + size, b.e, b]); continue; }
    if (Math.round(x0) !== edge) { edge = Math.round(x0); n = 0; }
    const look = LOOK[b.state] || plain, yy = y + 1 + b.row * ROW + (head ? 2 : 0);
    const bx = Math.max(x0, GUTTER - 6), bw = Math.max(Math.min(x1, w + 6) - bx - (x1 - x0 > 4 ? 1 : 0), 1.5);
    ctx.fillStyle = look[2] ? hatch(ctx, look[0]) : colours[look[0]];
    if (thin) {
      ctx.fillRect(bx, yy + size - 3, bw, 3);
      hits.push([bx, yy, bx + bw, yy + size, b.e, b]);
      continue;
    }
    ctx.beginPath();
    if (bw > 6) ctx.roundRect(bx, yy, bw, size, [3, b.endless ? 0 : 3, b.endless ? 0 : 3, 3]); else ctx.rect(bx, yy, bw, size);
    ctx.fill();
    hits.push([bx, yy, Math.max(bx + bw, bx + 3), yy + size, b.e, b]);
    words(ctx, b.label, Math.max(bx, GUTTER) + 5, yy + size / 2 + 0.5, bx + bw - Math.max(bx, GUTTER) - 8, colours[look[1]], look[2] ? colours[look[0]] : null);
  }
}

function words(ctx, text, x, y, room, colour, back) {
  if (!text || room < 14) return;
  ctx.font = '11px system-ui, "DejaVu Sans", sans-serif';
  let wide = ctx.measureText(text).width;
  if (wide > room) {
    const n = Math.floor(text.length * (room - 7) / wide);
    if (n < 2) return;
    text = text.slice(0, n) + '…';
    wide = ctx.measureText(text).width;
  }
  if (back) { ctx.fillStyle = back; ctx.fillRect(x - 3, y - 6, wide + 6, 12); }
  ctx.fillStyle = colour;
  ctx.fillText(text, x, y);
}

function drawPoints(view, ctx, l, y, r, X, w, hits) {
  const cy = y + r.h / 2;
  let edge = -9;
  for (const p of l.points) {
    const x = X(p.t), e = p.e;
    if (x < GUTTER - 8 || x > w + 8) continue;
    if (!p.end && e.kind !== 'broken') hits.push([x - 5, cy - 7, x + 5, cy + 7, e, null]);
    if (Math.abs(x - edge) < 0.7 && e.kind !== 'proof' && e.kind !== 'broken') continue;
    edge = x;
    drawMark(ctx, e, x, cy);
  }
  for (const f of l.faults) {
    const x = X(f.t0);
    if (x < GUTTER - 80 || x > w + 8) continue;
    ctx.fillStyle = colours.fault;
    ctx.beginPath(); /* a flag */
    ctx.moveTo(x, y + 1); ctx.lineTo(x + 9, y + 5); ctx.lineTo(x, y + 10); ctx.fill();
    ctx.fillRect(x - 0.5, y + 1, 1.5, r.h - 3);
    hits.push([x - 3, y, x + 11, y + r.h - 4, f.e, f]);
  }
}

function drawMark(ctx, e, x, y) {
  ctx.beginPath();
  switch (e.kind) {
    case 'proof': /* a seal */
      ctx.fillStyle = colours.ok;
      ctx.arc(x, y, 6, 0, 7); ctx.fill();
      ctx.strokeStyle = colours['ok-ink'];
      ctx.lineWidth = 1.6;
      ctx.beginPath(); ctx.moveTo(x - 3, y); ctx.lineTo(x - 0.6, y + 2.6); ctx.lineTo(x + 3.2, y - 2.6); ctx.stroke();
      return;
    case 'write':
      ctx.strokeStyle = ctx.fillStyle = colours[e.state === 'refused' ? 'bad' : 'ink'];
      ctx.lineWidth = 1.6;
      if (e.state === 'refused') { ctx.moveTo(x - 3, y - 3); ctx.lineTo(x + 3, y + 3); ctx.moveTo(x + 3, y - 3); ctx.lineTo(x - 3, y + 3); ctx.stroke(); }
      else if (e.state === 'asked') { ctx.arc(x, y, 2.6, 0, 7); ctx.stroke(); }
      else ctx.fillRect(x - 1, y - 5, 2, 10);
      return;
    case 'operator':
      ctx.fillStyle = colours.person;
      ctx.arc(x, y - 3, 2.8, 0, 7); ctx.fill();
      ctx.beginPath(); ctx.arc(x, y + 6, 5, Math.PI, 0); ctx.fill();
      return;
    case 'sent': case 'delivered':
      ctx.fillStyle = colours[e.kind === 'sent' ? 'serve' : 'dim'];
      if (e.kind === 'sent') { ctx.moveTo(x - 3, y - 4); ctx.lineTo(x + 4, y); ctx.lineTo(x - 3, y + 4); } else ctx.arc(x, y, 2.4, 0, 7);
      ctx.fill();
      return;
    case 'broken': return;
    default:
      ctx.fillStyle = (LOOK[e.state] && colours[LOOK[e.state][0]]) || colours.dim;
      ctx.moveTo(x, y - 4); ctx.lineTo(x + 4, y); ctx.lineTo(x, y + 4); ctx.lineTo(x - 4, y);
      ctx.fill();
  }
}

function rowOf(view, e) {
  return view.rows.find(r => r.lane === e.lane) || view.rows.find(r => r.head && r.node === e.node);
}

function drawLinks(view, ctx, X, top, w) {
  ctx.strokeStyle = colours.serve;
  ctx.lineWidth = 1;
  ctx.globalAlpha = 0.35;
  ctx.beginPath();
  for (const [a, b] of view.model.links) {
    const x0 = X(a.ms), x1 = X(b.ms);
    if (x1 < GUTTER || x0 > w) continue;
    const ra = rowOf(view, a), rb = rowOf(view, b);
    if (!ra || !rb) continue;
    ctx.moveTo(x0, ra.y + ra.h / 2 + top); ctx.lineTo(x1, rb.y + rb.h / 2 + top);
  }
  ctx.stroke();
  ctx.globalAlpha = 1;
}

function drawBroken(view, ctx, X, top, w, h) {
  for (const e of view.model.broken) {
    const x = X(e.ms), s = view.span.get(e.node);
    if (x < GUTTER - 200 || x > w + 200) continue;
    ctx.fillStyle = colours.bad;
    ctx.fillRect(x - 1, AXIS, 2.5, h);
    if (s) {
      ctx.globalAlpha = 0.13;
      ctx.fillRect(x - 30, s[0] + top - 3, 60, s[1] - s[0] + 6);
      ctx.globalAlpha = 1;
      ctx.strokeStyle = colours.bad;
      ctx.lineWidth = 2;
      ctx.strokeRect(x - 30, s[0] + top - 3, 60, s[1] - s[0] + 6);
    }
    ctx.font = '700 11px system-ui, "DejaVu Sans", sans-serif';
    const text = e.name + ' broken', wide = ctx.measureText(text).width + 14;
    const left = x + wide + 6 > w ? x - wide - 2 : x + 2, y = Math.min((s ? s[0] + top : AXIS) + 2, h - 20);
    ctx.fillStyle = colours.bad;
    ctx.beginPath();
    ctx.roundRect(left, Math.max(y, AXIS + 2), wide, 18, 4);
    ctx.fill();
    ctx.fillStyle = colours['bad-ink'];
    ctx.fillText(text, left + 7, Math.max(y, AXIS + 2) + 9.5);
    view.hits.push([left, Math.max(y, AXIS + 2), left + wide, Math.max(y, AXIS + 2) + 18, e, null]);
  }
}

function drawChosen(view, ctx, X, top, h) {
  const e = view.chosen;
  if (!e) return;
  const x = X(e.ms), r = rowOf(view, e);
  ctx.fillStyle = colours.choose;
  ctx.globalAlpha = 0.75;
  for (let y = AXIS; y < h; y += 6) ctx.fillRect(x - 0.5, y, 1, 3);
  ctx.globalAlpha = 1;
  if (!r) return;
  ctx.strokeStyle = colours.choose;
  ctx.lineWidth = 2;
  ctx.beginPath();
  ctx.arc(x, r.y + Math.min(r.h, HEAD) / 2 + top, 9, 0, 7);
  ctx.stroke();
}

function drawAxis(view, ctx, ticks, w) {
  ctx.fillStyle = colours.bg;
  ctx.fillRect(0, 0, w, AXIS);
  ctx.fillStyle = colours.dim;
  ctx.font = '11px system-ui, "DejaVu Sans", sans-serif';
  for (const [x, t, step] of ticks) ctx.fillText(clock(t, step), x + 3, AXIS / 2);
  ctx.fillStyle = colours.line;
  ctx.fillRect(0, AXIS - 1, w, 1);
}

function drawGutter(view, ctx, top, h) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(0, AXIS, GUTTER, h);
  ctx.clip();
  ctx.fillStyle = colours.bg;
  ctx.fillRect(0, AXIS, GUTTER, h);
  for (const [node, s] of view.span) {
    if (node % 2) { ctx.fillStyle = colours.band; ctx.fillRect(0, s[0] + top - 2, GUTTER, s[1] - s[0] + 4); }
  }
  for (const r of view.rows) {
    const y = r.y + top;
    if (y + r.h < AXIS || y > h) continue;
    if (r.head) {
      ctx.fillStyle = colours.ink;
      ctx.font = '700 13px system-ui, "DejaVu Sans", sans-serif';
      ctx.fillText((view.folded.has(r.node) ? '▸ ' : '▾ ') + (r.node ? 'node ' + r.node : 'the world'), 8, y + r.h / 2);
      ctx.fillStyle = colours.dim;
      ctx.font = '11px system-ui, "DejaVu Sans", sans-serif';
      if (r.node) { ctx.textAlign = 'right'; ctx.fillText('kernel', GUTTER - 8, y + r.h / 2); ctx.textAlign = 'left'; }
    } else {
      ctx.fillStyle = colours.dim;
      ctx.font = '11px system-ui, "DejaVu Sans", sans-serif';
      ctx.textAlign = 'right';
      const text = r.lane.label;
      ctx.fillText(text.length > 24 ? text.slice(0, 23) + '…' : text, GUTTER - 8, y + ROW / 2);
      ctx.textAlign = 'left';
    }
  }
  ctx.fillStyle = colours.line;
  ctx.fillRect(GUTTER - 1, AXIS, 1, h);
  ctx.restore();
}

/* The whole, small: how much happens when, faults, the broken rule, and what the plot shows of it. */
function drawMap(view, ctx, w, h) {
  const m = view.model, n = Math.max(1, Math.floor((w - GUTTER) / 3)), busy = new Array(n + 1).fill(0);
  const X = ms => GUTTER + view.scale.toU(ms) / view.scale.max * (w - GUTTER);
  ctx.clearRect(0, 0, w, h);
  ctx.fillStyle = colours.band;
  ctx.fillRect(0, 0, w, h);
  for (const e of m.events) busy[Math.floor((X(e.ms) - GUTTER) / 3)]++;
  const most = Math.max(...busy, 1);
  ctx.fillStyle = colours.busy;
  busy.forEach((k, i) => { if (k) { const y = 3 + (h - 10) * Math.sqrt(k / most); ctx.fillRect(GUTTER + i * 3, h - y, 2.4, y); } });
  ctx.fillStyle = colours.fault;
  for (const e of m.faults) if (e.state !== 'ends') ctx.fillRect(X(e.ms), 0, 1.5, 9);
  ctx.fillStyle = colours.bad;
  for (const e of m.broken) ctx.fillRect(X(e.ms) - 1, 0, 3, h);
  const k = (w - GUTTER) / view.scale.max, x0 = GUTTER + view.u0 * k, x1 = x0 + view.wide / view.px * k;
  ctx.strokeStyle = colours.serve;
  ctx.lineWidth = 2;
  ctx.strokeRect(Math.max(x0, GUTTER + 1), 1, Math.max(Math.min(x1, w - 1) - Math.max(x0, GUTTER + 1), 5), h - 2);
  ctx.fillStyle = colours.serve;
  ctx.globalAlpha = 0.12;
  ctx.fillRect(Math.max(x0, GUTTER), 0, Math.max(Math.min(x1, w) - Math.max(x0, GUTTER), 5), h);
  ctx.globalAlpha = 1;
  ctx.fillStyle = colours.dim;
  ctx.font = '11px system-ui, "DejaVu Sans", sans-serif';
  ctx.textBaseline = 'middle';
  ctx.fillText(stepwise ? 'the whole, in steps' : 'the whole: ' + clock(m.t1 - m.t0, 10), 8, h / 2);
}

function hitAt(view, x, y) {
  for (let i = view.hits.length - 1; i >= 0; i--) {
    const b = view.hits[i];
    if (x >= b[0] && x <= b[2] && y >= b[1] && y <= b[3]) return b;
  }
  return null;
}
