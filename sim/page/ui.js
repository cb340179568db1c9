/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mouse, keys and the words beside the plot. */
'use strict';

(function () {
  const $ = id => document.getElementById(id), root = document.documentElement;
  const model = buildModel(JSON.parse($('trace').textContent));
  const plot = $('plot'), map = $('map'), stage = $('stage'), tip = $('tip');
  const ctx = plot.getContext('2d'), mapCtx = map.getContext('2d');
  const view = { model, squeeze: true, messages: false, folded: new Set(), chosen: null, hover: null, y: 0, u0: 0, px: 1, wide: 1, hits: [] };
  let due = false;

  function el(tag, cls, text) {
    const x = document.createElement(tag);
    if (cls) x.className = cls;
    if (text !== undefined) x.textContent = text;
    return x;
  }
  function dirty() { if (!due) { due = true; requestAnimationFrame(draw); } }
  function fitCanvas(c) {
    const d = window.devicePixelRatio || 1, w = c.clientWidth, h = c.clientHeight;
    if (c.width !== Math.round(w * d) || c.height !== Math.round(h * d)) { c.width = Math.round(w * d); c.height = Math.round(h * d); }
    c.getContext('2d').setTransform(d, 0, 0, d, 0, 0);
    return [w, h];
  }
  function clamp() {
    const whole = view.scale.max;
    view.px = Math.min(Math.max(view.px, view.wide / (whole * 1.04)), Math.max(view.wide / 2, view.wide / whole * 2));
    const shown = view.wide / view.px;
    view.u0 = Math.min(Math.max(view.u0, -whole * 0.02), Math.max(whole * 1.02 - shown, -whole * 0.02));
    view.y = Math.min(Math.max(view.y, 0), Math.max(0, view.height - plot.clientHeight));
  }
  function draw() {
    due = false;
    const [w, h] = fitCanvas(plot), [mw, mh] = fitCanvas(map);
    view.wide = Math.max(w - GUTTER, 50);
    clamp();
    drawPlot(view, ctx, w, h);
    drawMap(view, mapCtx, mw, mh);
  }
  function rescale() {
    const mid = view.scale ? view.scale.toT(view.u0 + view.wide / view.px / 2) : 0;
    const share = view.scale ? view.wide / view.px / view.scale.max : 1;
    view.scale = buildScale(model, view.squeeze, view.messages);
    view.px = view.wide / (view.scale.max * share);
    view.u0 = view.scale.toU(mid) - view.wide / view.px / 2;
  }
  function zoom(k, x) {
    const at = view.u0 + (x - GUTTER) / view.px;
    view.px *= k;
    clamp();
    view.u0 = at - (x - GUTTER) / view.px;
    dirty();
  }
  function all() { view.px = view.wide / (view.scale.max * 1.04); view.u0 = -view.scale.max * 0.02; dirty(); }
  function show(a, b) { /* times */
    const u0 = view.scale.toU(a), u1 = view.scale.toU(b);
    view.px = view.wide / Math.max(u1 - u0, 1e-6) * 0.92;
    view.u0 = u0 - view.wide / view.px * 0.04;
    dirty();
  }
  function around(e, n) {
    const seen = model.events.filter(x => view.messages || !DETAIL[x.kind] || x === e), k = seen.indexOf(e);
    show(seen[Math.max(0, k - n)].ms, seen[Math.min(seen.length - 1, k + Math.max(2, n >> 2))].ms + 1);
  }

  /* How everything stands at a moment, in words. */
  function then(ms) {
    const box = $('then');
    box.textContent = '';
    $('then-title').textContent = 'At ' + clock(ms);
    for (let n = 1; n <= model.about.nodes; n++) {
      const parts = [];
      const views = new Map(); /* the same view of several daemons is one clause */
      for (const l of model.lanes) {
        if (l.node !== n) continue;
        for (const b of l.bars) {
          if (b.t0 > ms || b.t1 <= ms && !(b.endless)) continue;
          if (b.kind === 'process' && b.state === 'up') continue;
          if (b.kind === 'view') { views.set(b.label, [...(views.get(b.label) || []), l.label]); continue; }
          const bad = b.state === 'victim' || b.state === 'stuck' || b.state === 'panicked';
          parts.push([(l.kind === 'node' || l.kind === 'fence' || l.kind === 'driver' ? '' : l.label + ' ') + b.label + (b.kind === 'fence' ? ' (asked)' : ''), bad]);
        }
      }
      for (const [label, who] of views) parts.splice(1, 0, [(who.length > 2 ? 'all' : who.join(', ')) + ' ' + label, false]);
      const row = el('div'), words = el('span');
      row.append(el('b', '', 'node ' + n), words);
      parts.forEach(([t, bad], i) => { if (i) words.append(' · '); words.append(el('span', bad ? 'bad' : '', t)); });
      if (!parts.length) words.append(el('span', 'dim', 'nothing'));
      box.append(row);
    }
  }

  function list(e) {
    const box = $('list'), seen = model.events.filter(x => view.messages || !DETAIL[x.kind] || x === e);
    const at = Math.max(0, seen.indexOf(e)), from = Math.max(0, at - 60);
    box.textContent = '';
    let on = null;
    for (const x of seen.slice(from, at + 120)) {
      const row = el('div', (x === e ? 'on' : '') + (x.kind === 'broken' ? ' bad' : ''));
      row.append(el('span', 't', clock(x.ms, 1)), el('span', 'n', x.node ? String(x.node) : '·'), el('span', 'w', sentence(x)));
      row.title = sentence(x);
      row.onclick = () => choose(x, true);
      box.append(row);
      if (x === e) on = row;
    }
    if (on) box.scrollTop = Math.max(0, on.offsetTop - box.offsetTop - box.clientHeight / 2);
  }

  function choose(e, move) {
    if (!e) return;
    view.chosen = e;
    const box = $('chosen');
    box.textContent = '';
    box.append(el('h2', '', 'Chosen'), el('div', 'what', sentence(e)));
    box.append(el('div', 'dim', clock(e.ms) + (e.node ? ' · node ' + e.node : '') + ' · event ' + (e.i + 1) + ' of ' + model.events.length));
    then(e.ms);
    list(e);
    if (move) {
      const u = view.scale.toU(e.ms), shown = view.wide / view.px;
      if (u < view.u0 + shown * 0.05 || u > view.u0 + shown * 0.95) view.u0 = u - shown / 2;
      const r = rowOf(view, e);
      if (r && (r.y < view.y + AXIS || r.y + r.h > view.y + plot.clientHeight)) view.y = r.y - plot.clientHeight / 2;
    }
    dirty();
  }
  function next(step, wanted) {
    let i = view.chosen ? view.chosen.i + step : step > 0 ? 0 : model.events.length - 1;
    for (; i >= 0 && i < model.events.length; i += step) {
      const e = model.events[i];
      if (wanted ? wanted(e) : view.messages || !DETAIL[e.kind]) return choose(e, true);
    }
  }
  const isFault = e => e.kind === 'fault' && e.state !== 'ends';

  function toggle(id, key) {
    view[key] = !view[key];
    $(id).setAttribute('aria-pressed', view[key]);
    rescale();
    layout(view);
    if (view.chosen) list(view.chosen);
    dirty();
  }
  function panel(button, id) {
    $(id).hidden = !$(id).hidden;
    $(button).setAttribute('aria-pressed', !$(id).hidden);
    dirty();
  }
  function dark() {
    const now = root.dataset.theme || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
    return now === 'dark';
  }
  function theme(name) { root.dataset.theme = name; readColours(ctx); legend(); dirty(); }

  function legend() {
    const box = $('legend');
    box.textContent = '';
    const item = (look, text, mark) => {
      const d = el('div'), i = el('i', '', mark || '');
      i.style.background = look[2] ? 'repeating-linear-gradient(135deg,' + colours[look[0]] + ' 0 4px,' + colours.bg + ' 4px 6px)' : look[0] ? colours[look[0]] : 'none';
      if (look[1]) i.style.color = colours[look[1]];
      d.append(i, text);
      box.append(d);
    };
    box.append(el('div', 'wide', 'One block a node, time to the right. A bar says how something stands, a mark what happens; hatched means on its way, or in doubt.'));
    item(LOOK.runs, 'kernel runs'); item(LOOK.frozen, 'frozen: does nothing, may wake up'); item(LOOK.off, 'without power'); item(LOOK.panicked, 'crashed, or stuck');
    item(LOOK.quorate, 'view with quorum: the members it believes in'); item(LOOK['no quorum'], 'view without quorum: must let go'); item(LOOK.syncing, 'view not agreed yet');
    item(LOOK.hung, 'process hangs'); item(LOOK.waiting, 'waits for a lock'); item(LOOK.granted, 'holds a lock'); item(LOOK.claimed, 'volume claimed, not active');
    item(LOOK.active, 'volume active: this node may write'); item(LOOK.starting, 'service on its way up or down'); item(LOOK.running, 'service runs');
    item(LOOK.victim, 'victim: must be fenced, may still write'); item(LOOK['proven dead'], 'proven over: cannot write');
    item(LOOK.registered, 'registered on the disks: they take its writes'); item(LOOK['cut off'], 'cut off: they refuse its writes, it runs on');
    item(LOOK.armed, 'watchdog armed and petted'); item(LOOK['not petted'], 'watchdog resets this node soon');
    item(LOOK.held, 'fenced too often: held until an operator lets it in'); item(LOOK.newer, 'daemons of the next release');
    item(LOOK.asked, 'fence agent or driver at work'); item(LOOK.done, 'it succeeded'); item(LOOK.failed, 'it failed'); item(LOOK.timeout, 'no answer: proves nothing');
    item(['', 'ok'], 'a proof was made', '✔'); item(['', 'fault'], 'a fault; shaded while it lasts', '⚑'); item(['', 'person'], 'an operator acts', '☻');
    item(['', 'ink'], 'a write reached the disk', '❙'); item(['', 'bad'], 'a write was refused', '✕'); item(LOOK.victim, 'a rule is broken: red line and frame');
  }

  function header() {
    const a = model.about, v = $('verdict');
    document.title = a.title || 'trace';
    $('title').textContent = a.title || 'trace';
    $('size').textContent = a.nodes + ' nodes, ' + model.events.length + ' events, ' + (stepwise ? 'in their order' : clock(model.t1 - model.t0, 10)) + (a.dropped ? '; ' + a.dropped + ' older events did not fit' : '');
    if (model.broken.length) {
      const e = model.broken[0];
      v.className = 'bad';
      v.append(el('b', '', e.name + ' broken'), ' at ' + clock(e.ms) + (e.node ? ' by node ' + e.node : '') + ': ' + (e.text || ''));
      v.onclick = () => { choose(e, true); around(e, 24); };
      v.title = 'show the moment (b)';
    } else {
      v.append('No rule is broken.');
    }
    if (a.again) v.append(' Again: ', el('code', '', a.again));
  }

  /* --- pointer --- */
  let drag = null;
  plot.addEventListener('pointerdown', ev => {
    drag = { x: ev.offsetX, y: ev.offsetY, u0: view.u0, top: view.y, moved: false };
    plot.setPointerCapture(ev.pointerId);
  });
  plot.addEventListener('pointermove', ev => {
    if (drag) {
      if (Math.abs(ev.offsetX - drag.x) + Math.abs(ev.offsetY - drag.y) > 4) { drag.moved = true; plot.classList.add('moves'); }
      if (drag.moved) { view.u0 = drag.u0 - (ev.offsetX - drag.x) / view.px; view.y = drag.top - (ev.offsetY - drag.y); tip.hidden = true; dirty(); }
      return;
    }
    view.hover = ev.offsetX > GUTTER ? ev.offsetX : null;
    const hit = hitAt(view, ev.offsetX, ev.offsetY);
    plot.style.cursor = hit ? 'pointer' : '';
    tip.hidden = !hit && ev.offsetX <= GUTTER;
    if (!tip.hidden) {
      const at = view.scale.toT(view.u0 + (ev.offsetX - GUTTER) / view.px);
      tip.textContent = '';
      if (hit) {
        const e = hit[4], b = hit[5];
        tip.append(el('b', '', (e.node ? 'node ' + e.node + ' · ' : '') + clock(e.ms)), el('div', '', sentence(e)));
        if (b && b.t1 > b.t0) tip.append(el('div', 'dim', b.endless ? 'to the end' : stepwise ? 'until ' + clock(b.t1) : 'for ' + clock(b.t1 - b.t0) + (b.by && b.by !== e ? ', then: ' + sentence(b.by) : '')));
      } else {
        tip.append(el('span', 'dim', clock(at)));
      }
      const box = stage.getBoundingClientRect();
      tip.style.left = Math.min(ev.offsetX + 14, box.width - tip.offsetWidth - 8) + 'px';
      tip.style.top = Math.min(ev.offsetY + 34 + 16, box.height - tip.offsetHeight - 6) + 'px';
    }
    dirty();
  });
  plot.addEventListener('pointerup', ev => {
    const was = drag;
    drag = null;
    plot.classList.remove('moves');
    if (!was || was.moved) return;
    if (ev.offsetX < GUTTER) {
      const r = view.rows.find(x => x.head && ev.offsetY + view.y >= x.y && ev.offsetY + view.y < x.y + x.h);
      if (r) { if (!view.folded.delete(r.node)) view.folded.add(r.node); layout(view); dirty(); }
      return;
    }
    const hit = hitAt(view, ev.offsetX, ev.offsetY);
    if (hit) choose(hit[4], false); else then(view.scale.toT(view.u0 + (ev.offsetX - GUTTER) / view.px));
  });
  plot.addEventListener('pointerleave', () => { view.hover = null; tip.hidden = true; dirty(); });
  plot.addEventListener('wheel', ev => {
    ev.preventDefault();
    if (ev.shiftKey) { view.y += ev.deltaY || ev.deltaX; dirty(); return; }
    if (Math.abs(ev.deltaX) > Math.abs(ev.deltaY)) { view.u0 += ev.deltaX / view.px; dirty(); return; }
    zoom(Math.pow(1.0018, -ev.deltaY), Math.max(ev.offsetX, GUTTER));
  }, { passive: false });
  function mapTo(ev) {
    view.u0 = (ev.offsetX - GUTTER) / (map.clientWidth - GUTTER) * view.scale.max - view.wide / view.px / 2;
    dirty();
  }
  map.addEventListener('pointerdown', ev => { map.setPointerCapture(ev.pointerId); mapTo(ev); });
  map.addEventListener('pointermove', ev => { if (ev.buttons) mapTo(ev); });

  /* --- keys and buttons --- */
  const toBroken = () => { if (model.broken.length) { choose(model.broken[0], true); around(model.broken[0], 24); } };
  const middle = () => GUTTER + view.wide / 2;
  const keys = {
    '+': () => zoom(1.5, middle()), '=': () => zoom(1.5, middle()), '-': () => zoom(1 / 1.5, middle()), 0: all,
    ArrowRight: ev => { if (ev.shiftKey) { view.u0 += view.wide / view.px / 6; dirty(); } else next(1); },
    ArrowLeft: ev => { if (ev.shiftKey) { view.u0 -= view.wide / view.px / 6; dirty(); } else next(-1); },
    ArrowDown: () => { view.y += 60; dirty(); }, ArrowUp: () => { view.y -= 60; dirty(); },
    Home: () => choose(model.events[0], true), End: () => choose(model.events[model.events.length - 1], true),
    b: toBroken, f: () => next(1, isFault), F: () => next(-1, isFault), z: () => { if (view.chosen) around(view.chosen, 16); },
    i: () => toggle('idle', 'squeeze'), m: () => toggle('messages', 'messages'), k: () => panel('key', 'legend'),
    t: () => theme(dark() ? 'light' : 'dark'), '?': () => panel('help', 'keys'),
  };
  document.addEventListener('keydown', ev => {
    if (ev.ctrlKey || ev.metaKey || ev.altKey || !keys[ev.key]) return;
    ev.preventDefault();
    keys[ev.key](ev);
  });
  const press = { 'zoom-in': '+', 'zoom-out': '-', 'zoom-all': '0', 'to-fault': 'f', idle: 'i', messages: 'm', key: 'k', theme: 't', help: '?' };
  for (const id of Object.keys(press)) $(id).onclick = ev => { keys[press[id]](ev); };
  window.addEventListener('resize', () => { const share = view.wide / view.px; draw(); view.px = view.wide / share; dirty(); });

  /* --- begin --- */
  const wish = new URLSearchParams(location.hash.slice(1)); /* for people who link to a moment: #theme=dark&keys=b */
  root.dataset.theme = wish.get('theme') || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
  readColours(ctx);
  view.wide = Math.max(plot.clientWidth - GUTTER, 50);
  rescale();
  layout(view);
  header();
  legend();
  view.wide = Math.max(plot.clientWidth - GUTTER, 50);
  all();
  if (model.events.length) {
    const first = model.broken[0] || model.events.find(isFault) || model.events[0];
    choose(first, false);
    if (model.events.filter(e => !DETAIL[e.kind]).length > 500) around(first, 120);
    choose(first, true);
  }
  for (const k of (wish.get('keys') || '').split(',')) if (keys[k]) keys[k]({});
  draw();
  root.dataset.drawn = model.placed; /* for tests: every event has its place */
})();
