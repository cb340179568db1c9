/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the events of a trace (sim/trace.h) to lanes: what is a bar, from when to when, and what is a point. */
'use strict';

const POINTS = { proof: 1, fault: 1, operator: 1, write: 1, sent: 1, delivered: 1, timer: 1, note: 1, broken: 1 };
const DETAIL = { sent: 1, delivered: 1, timer: 1 };
/* States at which nothing stands any more. */
const ENDS = { down: 1, released: 1, stopped: 1, member: 1, '': 1 };
const GONE = { off: 1, boots: 1, panicked: 1 };
const DIES = { lock: 1, driver: 1, fence: 1 };
const ORDER = { node: 0, release: 0.5, process: 1, view: 1, victim: 2, held: 2.2, fence: 3, key: 3.2, watchdog: 3.4, lock: 4, volume: 5, service: 6, driver: 7, operator: 8, note: 8, sent: 9 };

function laneOf(e) {
  switch (e.kind) {
    case 'node': case 'fault': case 'broken': return ['node', ''];
    case 'process': case 'view': return ['process', e.name || 'corosync'];
    case 'victim': return ['victim', ''];
    case 'fence': case 'proof': return ['fence', ''];
    case 'write': return ['volume', e.name || ''];
    case 'operator': case 'note': return ['note', ''];
    case 'driver': return ['driver', ''];
    case 'sent': case 'delivered': case 'timer': return ['sent', ''];
    default: return [e.kind, e.name || ''];
  }
}

function laneLabel(kind, name) {
  switch (kind) {
    case 'node': return 'kernel';
    case 'process': return name;
    case 'victim': return 'others say';
    case 'key': return 'on the disks';
    case 'watchdog': return 'watchdog';
    case 'held': return 'fence loop';
    case 'release': return 'release';
    case 'lock': case 'volume': case 'service': return kind + ' ' + name;
    case 'fence': return 'fences';
    case 'note': return 'history';
    case 'driver': return 'drivers';
    case 'sent': return 'messages';
    default: return name || kind;
  }
}

/* {1 2 3}; a run of four or more as 1-4. */
function members(e) {
  const m = e.members || [], out = [];
  for (let i = 0, k; i < m.length; i = k + 1) {
    for (k = i; k + 1 < m.length && m[k + 1] === m[k] + 1; k++);
    if (k - i >= 3) out.push(m[i] + '-' + m[k]); else out.push(...m.slice(i, k + 1));
  }
  return '{' + out.join(' ') + '}';
}

/* Few words inside a bar. */
function barLabel(e) {
  switch (e.kind) {
    case 'view': return members(e) + (e.state === 'quorate' ? '' : ' ' + e.state);
    case 'process': return e.state === 'hung' ? 'hung' : '';
    case 'node': return e.state;
    case 'release': return 'next release';
    case 'lock': return (e.mode || '') + ' ' + e.state;
    case 'volume': return e.state + (e.number ? ' · epoch ' + e.number : '');
    case 'victim': return e.state + (e.peer ? ', says node ' + e.peer : '');
    case 'fence': return (e.name || 'asks') + ' → node ' + e.peer;
    case 'driver': return e.name || '';
    case 'fault': return e.name || '';
    default: return e.state || e.name || '';
  }
}

/* One sentence for lists and tooltips. */
function sentence(e) {
  const n = e.name || '';
  let s;
  switch (e.kind) {
    case 'node': s = 'kernel: ' + e.state; break;
    case 'process': s = n + ' is ' + e.state; break;
    case 'view': s = (n || 'corosync') + ': ' + (e.state === 'down' ? 'no view' : members(e) + ' ' + e.state + (e.number ? ', ring ' + e.number : '')); break;
    case 'lock': s = (e.mode || '') + ' lock ' + n + ' ' + e.state; break;
    case 'volume': s = 'volume ' + n + ' ' + e.state + (e.number ? ', epoch ' + e.number : ''); break;
    case 'service': s = 'service ' + n + ' ' + e.state; break;
    case 'key': s = e.state === 'cut off' ? 'cut off from the disks: nothing that it writes arrives' : 'registered on the disks: may write'; break;
    case 'watchdog': s = e.state === 'down' ? 'its watchdog is disarmed' : e.state === 'armed' ? 'its watchdog is armed, and petted' : 'its watchdog is not petted any more: it resets this node soon'; break;
    case 'held': s = e.state === 'held' ? 'fenced too often: held until an operator lets it in' : 'let in by an operator'; break;
    case 'release': s = e.state === 'newer' ? 'runs the next release' : 'runs this release'; break;
    case 'victim': s = 'others say: ' + e.state + (e.peer ? ', node ' + e.peer + ' first' : ''); break;
    case 'fence': s = (n || 'fence') + ' of node ' + e.peer + ': ' + e.state; break;
    case 'proof': s = 'proof ' + n + ': node ' + e.peer + ' is over'; break;
    case 'driver': s = n + ': ' + e.state; break;
    case 'fault': s = 'fault: ' + n + (e.state ? ' ' + e.state : ''); break;
    case 'operator': s = 'operator: ' + n; break;
    case 'write': s = 'write to ' + n + (e.number ? ', epoch ' + e.number : '') + ' ' + (e.state || ''); break;
    case 'sent': s = 'sends ' + n; break;
    case 'delivered': s = 'gets ' + n + ' of node ' + e.peer; break;
    case 'timer': s = 'timer ' + n; break;
    case 'broken': s = 'BROKEN ' + n; break;
    default: s = n;
  }
  return e.text ? s + (s ? ': ' : '') + e.text : s;
}

/* A search's time stands still: then the order of the events is the time, a step each. */
let stepwise = false;

function orderAsTime(events) {
  stepwise = events.length > 8 && new Set(events.map(e => e.ms)).size * 4 < events.length;
  if (stepwise) events.forEach((e, i) => { e.ms = (i + 1) * 1000; });
}

function buildModel(raw) {
  const about = raw[0], events = raw.slice(1), lanes = new Map(), faults = [], broken = [];
  orderAsTime(events);
  const open = new Map(); /* what still stands: key -> bar */
  const sends = new Map(), links = [];
  const last = events.length ? events[events.length - 1].ms : 0;
  let placed = 0;

  function lane(node, kind, name) {
    const key = node + '|' + kind + '|' + name;
    let l = lanes.get(key);
    if (!l) {
      l = { key, node, kind, name, label: laneLabel(kind, name), bars: [], points: [], faults: [] };
      lanes.set(key, l);
    }
    return l;
  }
  function close(key, ms, by) {
    const b = open.get(key);
    if (b) {
      b.t1 = ms;
      b.by = by;
      open.delete(key);
    }
    return b;
  }
  for (let n = 1; n <= about.nodes; n++) lane(n, 'node', '');
  events.forEach((e, i) => {
    e.i = i;
    e.state = e.state || '';
    e.node = e.node || 0;
    const [kind, name] = laneOf(e), l = lane(e.node, kind, name);
    const bar = (state, label) => {
      const b = { t0: e.ms, t1: null, state, kind: e.kind, label, e };
      l.bars.push(b);
      return b;
    };
    placed++;
    e.lane = l;
    if (e.kind === 'fault') {
      const key = 'fault|' + e.node + '|' + e.name;
      if (e.state === 'ends') { close(key, e.ms, e); faults.push(e); return; }
      const f = { t0: e.ms, t1: e.state === 'begins' ? null : e.ms, kind: 'fault', label: e.name, e, node: e.node };
      close(key, e.ms, e);
      if (e.state === 'begins') open.set(key, f);
      l.faults.push(f);
      faults.push(e);
    } else if (e.kind === 'fence' || e.kind === 'driver') {
      const key = e.kind + '|' + e.node + '|' + (e.kind === 'fence' ? e.number : e.name);
      if (e.state === 'asked') {
        close(key, e.ms, e);
        open.set(key, bar('asked', barLabel(e)));
      } else {
        const b = close(key, e.ms, e);
        if (b) b.state = e.state; else l.points.push({ t: e.ms, e });
      }
    } else if (POINTS[e.kind]) {
      l.points.push({ t: e.ms, e });
      if (e.kind === 'broken') broken.push(e);
      if (e.kind === 'sent' && e.number) sends.set(e.number, e);
      if (e.kind === 'delivered' && sends.has(e.number) && e.peer !== e.node) links.push([sends.get(e.number), e]);
    } else {
      const key = e.kind + '|' + e.node + '|' + (e.name || '');
      close(key, e.ms, e);
      if (!ENDS[e.state]) open.set(key, bar(e.state, barLabel(e)));
      else l.points.push({ t: e.ms, e, end: true });
      /* with a kernel goes what it held and did */
      if (e.kind === 'node' && GONE[e.state])
        for (const k of [...open.keys()]) {
          const [what, node] = k.split('|');
          if (+node === e.node && DIES[what]) close(k, e.ms, e);
        }
      /* who is gone believes in no view */
      if (e.kind === 'process' && e.state === 'down') close('view|' + e.node + '|' + (e.name || ''), e.ms, e);
    }
  });
  const pad = Math.max(1, (last - (events.length ? events[0].ms : 0)) / 50);
  for (const b of open.values()) { b.t1 = last + pad; b.endless = true; }

  const sorted = [...lanes.values()].sort((a, b) =>
    a.node - b.node || (ORDER[a.kind] - ORDER[b.kind]) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  for (const l of sorted) l.rows = stack(l);
  return { about, events, lanes: sorted, faults, broken, links, placed, t0: events.length ? events[0].ms : 0, t1: last + pad };
}

/* Bars that would lie over each other (two agents at once) get rows of their own; the others have one. */
function stack(l) {
  const ends = [];
  for (const b of l.bars) {
    b.row = 0;
    if (l.kind !== 'fence' && l.kind !== 'driver') { ends[0] = b.t1; continue; }
    while (b.row < ends.length && ends[b.row] > b.t0) b.row++;
    if (b.row > 3) b.row = 3;
    ends[b.row] = b.t1;
  }
  return Math.max(1, ends.length);
}

/* Time to the right; with `squeeze` a stretch in which nothing happens is drawn as wide as its logarithm. */
function buildScale(model, squeeze, withDetail) {
  const t = [model.t0], u = [0], gaps = [];
  const times = model.events.filter(e => withDetail || !DETAIL[e.kind]).map(e => e.ms);
  times.push(model.t1);
  const steps = [];
  for (let i = 0, p = model.t0; i < times.length; i++) { if (times[i] > p) steps.push(times[i] - p); p = times[i]; }
  steps.sort((a, b) => a - b);
  const unit = steps.length ? Math.max(1, steps[Math.floor(steps.length * 0.6)]) : 1;
  for (const ms of times) {
    const dt = ms - t[t.length - 1];
    if (dt <= 0) continue;
    const long = squeeze && dt > 2 * unit;
    u.push(u[u.length - 1] + (long ? unit * (2 + Math.log2(dt / (2 * unit))) : dt));
    if (long && dt > 30 * unit) gaps.push([t[t.length - 1], ms]);
    t.push(ms);
  }
  function find(a, x) {
    let lo = 0, hi = a.length - 1;
    while (lo + 1 < hi) { const m = (lo + hi) >> 1; if (a[m] <= x) lo = m; else hi = m; }
    return lo;
  }
  function map(from, to, x) {
    if (from.length < 2) return x - from[0] + to[0];
    const i = find(from, x), k = Math.min(i + 1, from.length - 1);
    return to[i] + (x - from[i]) / (from[k] - from[i]) * (to[k] - to[i]);
  }
  return { toU: ms => map(t, u, ms), toT: x => map(u, t, x), max: Math.max(u[u.length - 1], 1), gaps };
}

function clock(ms, step) {
  if (stepwise) return '#' + Math.round(ms / 1000);
  const neg = ms < 0 ? '-' : '', a = Math.abs(ms);
  if (step < 1) return neg + a + ' ms';
  const digits = step === undefined ? 3 : step >= 1000 ? 0 : step >= 100 ? 1 : step >= 10 ? 2 : 3;
  const f = Math.pow(10, digits), s = Math.round(a / 1000 * f) / f, m = Math.floor(s / 60);
  return neg + (m ? m + ':' + (s - m * 60).toFixed(digits).padStart(digits ? digits + 3 : 2, '0') : s.toFixed(digits)) + (m ? '' : ' s');
}
