'use strict';

// The held-out retrieval of compound i in one direction: how good, against chance, and what stood before the right answer.
function retrievalOf(i, way) {
  const { about, retrieval } = loaded.content;
  const forward = way === 'phenotype_to_molecule';
  const [asked, sought] = forward ? ['phenotype', about.other] : [about.other, 'phenotype'];
  const library = numberOf('library_size', i);
  const title = el('h3', {}, `Which ${sought} belongs to this ${asked}?`);
  if (!Number.isFinite(library)) return [title, el('p', {}, 'This compound was never held out: the model of the maps has seen it, and ranks of seen compounds say nothing.')];
  const rank = numberOf(`rank_${way}`, i);
  const share = numberOf(`percentile_${way}`, i);
  const found = retrieval.find(({ direction }) => direction === way);
  const hits = neighborsOf(found, i);
  const listed = hits.some(({ item }) => item === i);
  const items = hits.map(({ item, cosine }, place) => hitOf(item, cosine, `${place + 1}`, i));
  if (!listed) items.push(el('li', { class: 'gap', 'aria-hidden': 'true' }, '…'), hitOf(i, found.own[i], shortNumber(rank), i));
  return [
    title,
    el('p', {}, `A model that had not seen this compound (fold ${textOf(columnOf('fold'), i)}) was given its ${asked} and ranked the ${shortNumber(library)} ${sought}s held out with it.`),
    el('p', { class: 'answer' }, el('b', {}, `Rank ${shortNumber(rank)} of ${shortNumber(library)}`), ` · beats ${percent(share)} of the others · chance: rank ${shortNumber(numberOf('chance_rank', i))}, 50 %`),
    percentilesOf(way, share),
    forward ? section('Its phenotype', profileOf(i)) : null,
    section(`Best ${sought}s of the library`, el('ol', { class: 'cards hits' }, items), el('p', { class: 'note' }, `Framed: the right answer, ${sought === about.other ? `its own ${about.other}` : 'its own phenotype'}. Compounds are shown by their structure; the model compared codes.`)),
  ].filter(Boolean);
}

function hitOf(item, cosine, rank, i) {
  const right = item === i;
  return el('li', {}, card(item, `${rank}. ${cosineText(cosine)}${right ? ' · right answer' : ''}`, { right, compare: i, marked: false }));
}

// All held-out compounds by the share of the library they beat; by chance every bar would be as high as the line.
function percentilesOf(way, own) {
  const column = columnOf(`percentile_${way}`);
  const bars = new Uint32Array(20);
  let n = 0;
  column.data.forEach((value) => { if (!Number.isNaN(value)) { bars[Math.min(19, Math.floor(value * 20))] += 1; n += 1; } });
  const [width, height, base] = [360, 84, 66];
  const highest = Math.max(...bars, n / 20);
  const drawing = svg('svg', { viewBox: `0 0 ${width} ${height}`, class: 'percentiles', role: 'img', 'aria-label': `Histogram of the share of the library that each of ${n} held-out compounds beats; this one ${percent(own)}` });
  const x = (share) => 4 + share * (width - 8);
  const y = (count) => base - (count / highest) * (base - 14);
  bars.forEach((count, k) => drawing.append(svg('rect', { x: x(k / 20) + 0.5, y: y(count), width: (width - 8) / 20 - 1, height: base - y(count), fill: '#9fb8cc' })));
  drawing.append(svg('line', { x1: 4, x2: width - 4, y1: y(n / 20), y2: y(n / 20), stroke: '#22303c', 'stroke-dasharray': '4 3' }));
  if (Number.isFinite(own)) drawing.append(svg('line', { x1: x(own), x2: x(own), y1: 4, y2: base, stroke: '#c2185b', 'stroke-width': 2.5 }));
  [0, 0.5, 1].forEach((share) => drawing.append(svg('text', { x: x(share), y: height - 5, 'text-anchor': ['start', 'middle', 'end'][share * 2], 'font-size': 10, fill: '#55626e' }, `${share * 100} %`)));
  return el('figure', {}, drawing, el('figcaption', {}, `Share of the library beaten, of all ${n.toLocaleString('en-US')} held-out compounds; red: this one; dashed: if ranks were chance.`));
}
