'use strict';

const SHOWN_ROWS = 100;
const list = { rows: [], reasons: new Map(), shown: SHOWN_ROWS };

function isInClass(place, i) {
  const { bits } = loaded.content.classes;
  const bytes = Math.ceil(loaded.content.n / 8);
  return (bits[place * bytes + (i >> 3)] >> (i & 7)) & 1;
}

// Compounds whose identifier, name, SMILES, categories or substructure classes hold the words; best matches first.
function searched(words) {
  const { content } = loaded;
  const low = words.toLowerCase();
  const groups = content.columns.filter((column) => column.kind === 'category' && column.values.length < content.n)
    .map((column) => ({ column, fits: column.values.map((value) => value.toLowerCase().includes(low)) }));
  const classes = content.classes.names.map((name, place) => ({ name, place })).filter(({ name }) => low.length > 2 && name.toLowerCase().includes(low));
  const found = [];
  for (let i = 0; i < content.n; i += 1) {
    const texts = [content.ids[i].toLowerCase(), (content.names[i] || '').toLowerCase()];
    const group = () => groups.find(({ column, fits }) => column.data[i] && fits[column.data[i] - 1]);
    const inside = () => classes.find(({ place }) => isInClass(place, i));
    let match = null;
    if (texts.includes(low)) match = [0, ''];
    else if (texts.some((text) => text.startsWith(low))) match = [1, ''];
    else if (texts.some((text) => text.includes(low))) match = [2, ''];
    else if (words.length > 2 && (content.smiles[i] || '').includes(words)) match = [3, 'SMILES'];
    else {
      const category = group();
      if (category) match = [4, `${category.column.label}: ${textOf(category.column, i)}`];
      else {
        const known = inside();
        if (known) match = [5, `has ${known.name}`];
      }
    }
    if (match) found.push([match[0], i, match[1]]);
  }
  return found.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
}

function search() {
  const words = document.getElementById('search').value.trim();
  const group = document.getElementById('class').value;
  list.reasons = new Map();
  if (!words && group === '') {
    clearMarks();
    return;
  }
  let rows = words ? searched(words) : Array.from({ length: loaded.content.n }, (_, i) => [0, i, '']);
  if (group !== '') rows = rows.filter(([, i]) => isInClass(Number(group), i));
  const marked = new Uint8Array(loaded.content.n);
  rows.forEach(([, i, why]) => {
    marked[i] = 1;
    if (why) list.reasons.set(i, why);
  });
  list.rows = rows.map(([, i]) => i);
  setMarks(marked, 'search');
}

function clearSearch() {
  document.getElementById('search').value = '';
  document.getElementById('class').value = '';
  list.reasons = new Map();
}

function byPriority(rows) {
  const priority = columnOf('priority');
  return priority ? rows.sort((a, b) => (priority.data[a] || Infinity) - (priority.data[b] || Infinity) || a - b) : rows;
}

// The list below the maps: what is marked, or all compounds, those to look at first on top.
function showList() {
  const all = Array.from({ length: loaded.content.n }, (_, i) => i);
  if (state.markedBy !== 'search') list.rows = byPriority(state.marked ? all.filter((i) => state.marked[i]) : all);
  list.shown = SHOWN_ROWS;
  const n = list.rows.length;
  const what = { search: 'found', lasso: 'inside the lasso', legend: `in ${state.markedLabel}`, '': '' }[state.markedBy];
  const count = `${n.toLocaleString('en-US')} ${n === 1 ? 'compound' : 'compounds'}${what ? ` ${what}` : ', those to look at first on top'}`;
  document.getElementById('count').textContent = count;
  document.getElementById('clear').hidden = !state.marked;
  if (state.marked) say(count);
  fillList();
}

function fillList() {
  const holder = document.getElementById('list');
  holder.replaceChildren(...list.rows.slice(0, list.shown).map(rowOf));
  const rest = list.rows.length - list.shown;
  const more = document.getElementById('more');
  more.hidden = rest <= 0;
  more.textContent = `Show ${Math.min(rest, SHOWN_ROWS)} more of ${Math.max(rest, 0).toLocaleString('en-US')}`;
  markRow();
}

function rowOf(i) {
  const why = list.reasons.get(i);
  const text = (name) => textOf(columnOf(name), i) || '–';
  return el('div', { role: 'option', id: `row${i}`, class: 'row', 'data-i': i, 'aria-selected': 'false', onclick: () => select(i), onpointerenter: () => hover(i), onpointerleave: () => hover(-1) },
    el('span', { class: 'drawing' }, structureOf(i, 64, 40)),
    el('span', { class: 'name', title: nameOf(i) }, el('b', {}, cut(nameOf(i), 120)), el('small', {}, cut(why ? `${loaded.content.ids[i]} · ${why}` : loaded.content.ids[i], 120))),
    el('span', { class: 'label', title: labelOf(i) }, cut(labelOf(i), 80)),
    el('span', { class: 'number' }, text('active')),
    el('span', { class: 'number' }, text('cell_count')),
    el('span', { class: 'number' }, percent(numberOf('percentile_phenotype_to_molecule', i))),
    el('span', { class: 'number' }, percent(numberOf('percentile_molecule_to_phenotype', i))));
}

function markRow() {
  const holder = document.getElementById('list');
  holder.querySelectorAll('[aria-selected="true"]').forEach((row) => row.setAttribute('aria-selected', 'false'));
  const row = document.getElementById(`row${state.selected}`);
  if (row) {
    row.setAttribute('aria-selected', 'true');
    holder.setAttribute('aria-activedescendant', row.id);
    holder.scrollTop = Math.min(Math.max(holder.scrollTop, row.offsetTop + row.offsetHeight - holder.clientHeight), row.offsetTop);
  } else holder.removeAttribute('aria-activedescendant');
}

// In the list, and from the search box, arrow keys go from compound to compound.
function listKey(event) {
  const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
  const at = list.rows.indexOf(state.selected);
  let next = null;
  if (event.key in moves) next = at < 0 ? 0 : at + moves[event.key];
  else if (event.key === 'Enter' && at < 0) next = 0;
  else if (event.key === 'Home' && event.target.id === 'list') next = 0;
  else if (event.key === 'End' && event.target.id === 'list') next = list.rows.length - 1;
  if (next === null || !list.rows.length) return;
  event.preventDefault();
  next = Math.min(Math.max(next, 0), list.rows.length - 1);
  if (next >= list.shown) {
    list.shown = next + SHOWN_ROWS;
    fillList();
  }
  select(list.rows[next]);
}
