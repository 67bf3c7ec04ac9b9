'use strict';

// The maps as a figure of its own: vector points, titles, legend, what the axes are, and which model and screen.
const PICTURE = { width: 1080, side: 340, gap: 20, left: 10, top: 64, line: 18 };

function pictureHeight() {
  const entries = legendEntries().length;
  return PICTURE.top + PICTURE.side + 56 + Math.max(1, Math.ceil(entries / 4)) * PICTURE.line + 24;
}

function pictureOf() {
  const { about, n } = loaded.content;
  const height = pictureHeight();
  const drawing = svg('svg', { xmlns: 'http://www.w3.org/2000/svg', width: PICTURE.width, height, viewBox: `0 0 ${PICTURE.width} ${height}`, 'font-family': 'Arial, Helvetica, sans-serif', fill: '#22303c' });
  const text = (x, y, size, content, more = {}) => svg('text', { x, y, 'font-size': size, ...more }, content);
  drawing.append(
    svg('rect', { width: PICTURE.width, height, fill: '#ffffff' }),
    text(PICTURE.left, 24, 17, cut(about.title, 100), { 'font-weight': 'bold' }),
    text(PICTURE.left, 42, 11, `UMAP of the codes of the model of fold ${about.fold}; n = ${n} compounds; axes have no unit. Screen ${about.screen}${about.simulated ? ' (simulated data)' : ''}, dssl ${about.version}.`, { fill: '#55626e' }),
  );
  maps.forEach((map, place) => drawing.append(mapPicture(map, PICTURE.left + place * (PICTURE.side + PICTURE.gap), text)));
  drawing.append(legendPicture(PICTURE.top + PICTURE.side + 44, text));
  return new XMLSerializer().serializeToString(drawing);
}

function mapPicture(map, left, text) {
  const group = svg('g', { transform: `translate(${left} ${PICTURE.top})` });
  const side = PICTURE.side;
  group.append(svg('rect', { width: side, height: side, fill: 'none', stroke: '#c3c9ce' }), text(0, side + 18, 12, `${codeTitle(map.code)} (UMAP 1, 2)`));
  const radius = Math.max(0.9, radiusOf(loaded.content.n) * 0.8);
  const scale = (side - 16) / 65535;
  const order = Array.from({ length: loaded.content.n }, (_, i) => i);
  const level = (i) => (state.marked && !state.marked[i] ? -1 : coloring.index[i]);
  order.sort((a, b) => level(a) - level(b) || a - b);
  for (const i of order) {
    const color = level(i) < 0 ? FADED : coloring.palette[coloring.index[i]];
    group.append(svg('circle', { cx: (8 + map.code.x[i] * scale).toFixed(1), cy: (side - 8 - map.code.y[i] * scale).toFixed(1), r: radius.toFixed(1), fill: color }));
  }
  return group;
}

function legendPicture(top, text) {
  const group = svg('g', { transform: `translate(${PICTURE.left} ${top})` });
  const { column } = coloring;
  if (!column) return group;
  group.append(text(0, 0, 12, `Colour: ${colorTitle(column)}`, { 'font-weight': 'bold' }));
  if (column.kind === 'number') {
    for (let k = 0; k < SHADES; k += 1) group.append(svg('rect', { x: k * 5, y: 8, width: 5.2, height: 12, fill: coloring.palette[k + 1] }));
    group.append(text(0, 34, 11, `≤ ${shortNumber(coloring.low)}`), text(SHADES * 5, 34, 11, `≥ ${shortNumber(coloring.high)}`, { 'text-anchor': 'end' }));
  }
  legendEntries().forEach((entry, k) => {
    const [x, y] = [(k % 4) * 265, 8 + Math.floor(k / 4) * PICTURE.line];
    group.append(svg('circle', { cx: x + 6, cy: y + 7, r: 5, fill: entry.color }), text(x + 16, y + 11, 11, `${cut(entry.text, 36)} (${entry.count})`));
  });
  return group;
}

function codeTitle(code) {
  return code.code === 'shared' ? `Shared code of ${code.side}s` : `Specific code of ${code.side}s`;
}
