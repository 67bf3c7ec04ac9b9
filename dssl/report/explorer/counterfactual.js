'use strict';

const BAND = 1.959963984540054; // standard deviations on either side of a 95 % interval

// What a decoder expects of compound i in other contexts, never without the error that such predictions had.
function counterfactualsOf(i) {
  const { questions, starts } = loaded.content.counterfactuals;
  if (!questions.length) return null;
  const places = Array.from({ length: starts[i + 1] - starts[i] }, (_, k) => starts[i] + k);
  const withheld = questions.filter(({ shown }) => !shown).map(({ title, why }) => el('p', { class: 'note' }, `${title}: no profiles are shown, since ${why}.`));
  if (!places.length) {
    const why = questions.some(({ shown }) => shown) ? [el('p', {}, 'There is none of this compound: it was never held out, or it was not measured in a second context.')] : [];
    return section('Predicted in another context', ...why, ...withheld);
  }
  const holder = el('div', {});
  const show = (place) => holder.replaceChildren(...predictionOf(place, i));
  const menu = el('select', { 'aria-label': 'Which prediction', onchange: () => show(places[menu.selectedIndex]) }, places.map((place) => el('option', {}, predictionTitle(place, i))));
  show(places[0]);
  return section('Predicted in another context', menu, holder, ...withheld);
}

function predictionTitle(place, i) {
  const { questions, question, treatments, contexts } = loaded.content.counterfactuals;
  const { column, transfer } = questions[question[place]];
  const own = `${loaded.content.ids[i]}@`;
  const dose = treatments[place].startsWith(own) ? ` (${treatments[place].slice(own.length).replace(/uM$/, ' µM')})` : '';
  const state = `cell state of ${column} ${cut(contexts[place], 40)}`;
  return transfer ? `This compound${dose} on the ${state}` : `The ${state} under this compound${dose}`;
}

function predictionOf(place, i) {
  const { questions, question, folds, model } = loaded.content.counterfactuals;
  const { title, error } = questions[question[place]];
  return [
    predictionPicture(place, i),
    el('p', { class: 'note' }, `Blue: predicted by the model of fold ${folds[model[place]]}, which had not seen this compound, with its 95 % interval (from errors on validation compounds). Ring: measured. Numbers: root mean square error on held-out compounds.`),
    el('p', { class: 'note' }, `${title}: ${error}`),
  ];
}

function predictionPicture(place, i) {
  const { groups, sizes, predicted, measured, sd, rmse, model, n_held_out: held, step, by } = loaded.content.counterfactuals;
  const of = (values, g) => (values[place * groups.length + g] === -32768 ? NaN : values[place * groups.length + g] * step);
  const rows = groups.map((name, g) => {
    const [value, half] = [of(predicted, g), BAND * sd[model[place] * groups.length + g]];
    return { name, size: sizes[g], value, low: value - half, high: value + half, truth: of(measured, g), error: rmse[model[place] * groups.length + g] };
  }).filter(({ value }) => Number.isFinite(value));
  const ends = rows.flatMap(({ low, high, truth }) => [low, high, truth]).filter(Number.isFinite);
  const ticks = niceTicks(Math.min(0, ...ends), Math.max(0, ...ends));
  const [left, right, top, line] = [142, 40, 18, 17];
  const width = 396;
  const bottom = top + rows.length * line;
  const x = (value) => left + ((value - ticks[0]) / (ticks[ticks.length - 1] - ticks[0])) * (width - left - right);
  const drawing = svg('svg', { viewBox: `0 0 ${width} ${bottom + 34}`, class: 'prediction', role: 'img', 'aria-label': `${predictionTitle(place, i)}, by ${by}` });
  const text = (at, height, words, more = {}) => svg('text', { x: at, y: height, 'font-size': 11, fill: '#55626e', ...more }, words);
  const stroke = (x1, y1, x2, y2, color, thick) => svg('line', { x1, y1, x2, y2, stroke: color, 'stroke-width': thick });
  drawing.append(text(width - 2, 11, 'RMSE', { 'text-anchor': 'end', 'font-size': 10 }));
  ticks.forEach((tick) => drawing.append(stroke(x(tick), top - 4, x(tick), bottom, tick ? '#e7eaed' : '#8a949e', 1), text(x(tick), bottom + 13, shortNumber(tick), { 'text-anchor': 'middle' })));
  drawing.append(text(width - 2, bottom + 29, 'standard deviations of training wells about their mean', { 'text-anchor': 'end' }));
  rows.forEach((row, k) => {
    const y = top + (k + 0.5) * line;
    const words = `${row.name} (${row.size} ${row.size === 1 ? 'feature' : 'features'}): predicted ${shortNumber(row.value)}, 95 % interval ${shortNumber(row.low)} to ${shortNumber(row.high)}; ${Number.isFinite(row.truth) ? `measured ${shortNumber(row.truth)}` : 'not measured'}; error on ${held[model[place]]} held-out compounds ${shortNumber(row.error)}`;
    const mark = Number.isFinite(row.truth) ? [svg('circle', { cx: x(row.truth), cy: y, r: 4, fill: 'none', stroke: '#22303c', 'stroke-width': 1.6 })] : [];
    drawing.append(svg('g', {}, svg('title', {}, words), text(left - 8, y + 4, cut(row.name, 23), { 'text-anchor': 'end', fill: '#22303c' }), stroke(x(row.low), y, x(row.high), y, '#0072b2', 2), svg('circle', { cx: x(row.value), cy: y, r: 3.2, fill: '#0072b2' }), ...mark, text(width - 2, y + 4, row.error.toFixed(2), { 'text-anchor': 'end' })));
  });
  return drawing;
}

// Round numbers from below `low` to above `high`, in steps of 1, 2 or 5 times a power of ten.
function niceTicks(low, high) {
  const rough = (high - low || 1) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((times) => times * power >= rough);
  const first = Math.floor(low / step);
  const last = Math.max(Math.ceil(high / step), first + 1);
  return Array.from({ length: last - first + 1 }, (_, k) => (first + k) * step);
}
