'use strict';

// The profile of compound i: compartment x channel, gene sets, or single features; every cell shows its number.
function profileOf(i) {
  const { profiles } = loaded.content;
  const { rows, columns, sizes } = profiles;
  const start = i * sizes.length;
  const value = (place) => (profiles.values[start + place] === -32768 ? NaN : profiles.values[start + place] * profiles.step);
  const table = el('table', { class: columns.length > 1 ? 'heat' : 'heat single' },
    el('caption', {}, `Mean of each group of features over the compound’s wells, in the units of the normalised profiles (0: like the controls or the plate). By ${profiles.by}.`),
    columns.length > 1 ? el('thead', {}, el('tr', {}, el('td', {}), columns.map((name) => el('th', { scope: 'col', title: name }, cut(name, 14))))) : null,
    el('tbody', {}, rows.map((row, r) => el('tr', {}, el('th', { scope: 'row', title: row }, cut(row, 40)), columns.map((_, c) => {
      const place = r * columns.length + c;
      return sizes[place] ? heatCell(value(place), profiles.limit, sizes[place]) : el('td', { class: 'none', title: 'no such feature' });
    })))));
  return el('div', { class: 'profile' }, table, heatScale(profiles.limit));
}

function heatCell(value, limit, size) {
  if (Number.isNaN(value)) return el('td', { class: 'none', title: 'not measured' }, '–');
  const share = Math.min(Math.max(value / limit, -1), 1);
  const dark = Math.abs(share) > 0.72;
  return el('td', { style: { background: between(DIVERGING, (share + 1) / 2), color: dark ? '#ffffff' : '#22303c' }, title: `${shortNumber(value)}, mean of ${size} ${size === 1 ? 'feature' : 'features'}` }, rounded(value));
}

function rounded(value) {
  const text = value.toFixed(Math.abs(value) < 9.95 ? 1 : 0);
  return Number(text) ? text.replace('-', '−') : text.replace('-', '');
}

function heatScale(limit) {
  const bar = el('span', { class: 'bar', 'aria-hidden': 'true', style: { background: `linear-gradient(to right, ${DIVERGING.join(',')})` } });
  return el('div', { class: 'scale' }, el('span', {}, `≤ −${shortNumber(limit)}`), bar, el('span', {}, `≥ ${shortNumber(limit)}`), el('span', { class: 'note' }, 'same colours for all compounds'));
}
