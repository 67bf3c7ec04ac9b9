'use strict';

const ATOM_COLORS = { N: '#1f4e9c', O: '#b3261e', S: '#8a6d00', P: '#a34f00', F: '#2b7a3f', Cl: '#2b7a3f', Br: '#7a3b2e', I: '#5b2a86', B: '#8a4f57' };
const KINDS = { double: 2, triple: 3, left: 4, right: 5, wedge: 6, hash: 7 };

// The structure of compound i as an SVG element; null where there is none. Bonds of small molecules have the same length.
function structureOf(i, width, height) {
  const all = loaded.content.structures;
  const first = all.atoms[i];
  const n = all.atoms[i + 1] - first;
  if (!n) return null;
  const x = Array.from(all.x.subarray(first, first + n));
  const y = Array.from(all.y.subarray(first, first + n), (value) => -value);
  const bond = 1.5 / all.unit;
  const margin = 0.75 * bond;
  const low = [Math.min(...x) - margin, Math.min(...y) - margin];
  const size = [Math.max(...x) + margin - low[0], Math.max(...y) + margin - low[1]];
  const pixels = Math.min(width / size[0], height / size[1], 24 / bond);
  const view = [width / pixels, height / pixels];
  const origin = [low[0] - (view[0] - size[0]) / 2, low[1] - (view[1] - size[1]) / 2];
  const drawing = svg('svg', {
    viewBox: `${origin[0]} ${origin[1]} ${view[0]} ${view[1]}`, width, height, class: 'structure', role: 'img',
    'aria-label': `Structure of ${nameOf(i)}`,
  });
  const labels = Array.from(all.label.subarray(first, first + n), (code) => all.labels[code]);
  const lines = [];
  for (let b = all.bonds[i]; b < all.bonds[i + 1]; b += 1) {
    const ends = [all.begin[b], all.end[b]];
    drawBond(lines, drawing, all.kind[b], ends.map((a) => [x[a], y[a]]), ends.map((a) => labels[a] !== ''), bond);
  }
  drawing.prepend(svg('path', {
    d: lines.join(''), fill: 'none', stroke: '#22303c', 'stroke-width': Math.max(bond * 0.07, 1.1 / pixels), 'stroke-linecap': 'round',
  }));
  const sides = freeSides(i, x, y);
  labels.forEach((label, a) => label && drawing.append(...atomLabel(label, x[a], y[a], bond, sides[a])));
  return drawing;
}

function drawBond(lines, drawing, kind, [from, to], labelled, bond) {
  const length = Math.hypot(to[0] - from[0], to[1] - from[1]) || 1;
  const along = [(to[0] - from[0]) / length, (to[1] - from[1]) / length];
  // the y axis points down on the screen, so that left and right change places
  const across = [along[1], -along[0]];
  const gap = 0.3 * bond;
  const start = labelled[0] ? gap : 0;
  const stop = length - (labelled[1] ? gap : 0);
  const point = (at, aside) => `${(from[0] + along[0] * at + across[0] * aside).toFixed(1)} ${(from[1] + along[1] * at + across[1] * aside).toFixed(1)}`;
  const line = (aside, shorter = 0) => lines.push(`M${point(start + (labelled[0] ? 0 : shorter), aside)}L${point(stop - (labelled[1] ? 0 : shorter), aside)}`);
  const apart = 0.17 * bond;
  if (kind === KINDS.wedge) {
    drawing.append(svg('path', { d: `M${point(start, 0)}L${point(stop, apart * 0.8)}L${point(stop, -apart * 0.8)}Z`, fill: '#22303c' }));
  } else if (kind === KINDS.hash) {
    for (let step = 1; step <= 6; step += 1) {
      const at = start + ((stop - start) * step) / 6;
      const wide = (apart * 0.8 * step) / 6;
      lines.push(`M${point(at, wide)}L${point(at, -wide)}`);
    }
  } else if (kind === KINDS.double) {
    line(apart / 2);
    line(-apart / 2);
  } else {
    line(0);
    if (kind === KINDS.triple) [apart, -apart].forEach((aside) => line(aside, apart / 2));
    if (kind === KINDS.left) line(apart, apart * 0.8);
    if (kind === KINDS.right) line(-apart, apart * 0.8);
  }
}

// Where each atom has no bonds: its hydrogens stand there.
function freeSides(i, x, y) {
  const all = loaded.content.structures;
  const away = x.map(() => [0, 0, 0]);
  for (let b = all.bonds[i]; b < all.bonds[i + 1]; b += 1) {
    for (const [a, other] of [[all.begin[b], all.end[b]], [all.end[b], all.begin[b]]]) {
      away[a][0] -= x[other] - x[a];
      away[a][1] -= y[other] - y[a];
      away[a][2] += 1;
    }
  }
  return away.map(([right, down, bonds]) => {
    if (bonds > 1 && Math.abs(down) > Math.abs(right)) return down > 0 ? 'below' : 'above';
    return right < -1 ? 'left' : 'right';
  });
}

// An atom's symbol stands on its place; its hydrogens beside it, counts small and low, charges small and high.
function atomLabel(label, x, y, bond, side) {
  const size = 0.5 * bond;
  const found = label.match(/^(\^\d+)?([A-Z*][a-z]?)(H?)(\d*)([+−\d]*)$/u);
  const [, isotope, symbol, hydrogen, count, charge] = found || [label, '', label, '', '', ''];
  const half = 0.34 * size * Math.max(1, symbol.length * 0.85);
  const base = y + size * 0.36;
  const made = (at, height, anchor, scale, text) => svg('text', {
    x: at, y: height, 'text-anchor': anchor, 'font-size': size * scale, fill: ATOM_COLORS[symbol] || '#22303c', 'font-family': 'Arial, Helvetica, sans-serif',
  }, text);
  const parts = [made(x, base, 'middle', 1, symbol)];
  if (isotope) parts.push(made(x - half, base - size * 0.42, 'end', 0.65, isotope.slice(1)));
  const wide = count ? 1.05 * size : 0.7 * size;
  let end = x + half;
  if (hydrogen) {
    const aside = { left: [x - half - wide, base], right: [x + half, base], above: [x - 0.34 * size, base - 0.86 * size], below: [x - 0.34 * size, base + 0.86 * size] }[side];
    parts.push(made(aside[0], aside[1], 'start', 1, 'H'));
    if (count) parts.push(made(aside[0] + 0.7 * size, aside[1] + 0.18 * size, 'start', 0.68, count));
    if (side === 'right') end += wide;
  }
  if (charge) parts.push(made(end, base - size * 0.42, 'start', 0.68, charge));
  return parts;
}
