'use strict';

async function start() {
  const content = await readContent(document.getElementById('data'));
  loaded.content = content;
  content.columns.forEach((column) => loaded.byName.set(column.name, column));
  fillControls();
  const first = columnOf(content.about.label);
  const colored = content.columns.filter((column) => column.colors);
  colorBy(colored.includes(first) ? first : colored[0] || null);
  const shared = content.codes.filter(({ code }) => code === 'shared');
  const specific = content.codes.filter(({ code }) => code === 'specific');
  document.querySelectorAll('.map').forEach((holder, place) => {
    const map = new ScatterMap(holder.querySelector('.canvas'), `Map ${place + 1} of 3`, 'keys');
    maps.push(map);
    if (place === 0) fillShared(holder, map, shared);
    else titleMap(holder, map, specific[place - 1]);
  });
  document.getElementById('color').value = coloring.column ? String(content.columns.indexOf(coloring.column)) : '';
  showLegend();
  maps.forEach((map, place) => map.show(place ? specific[place - 1] : shared[0]));
  listen();
  showList();
  showPanel();
  window.explorerReadyAfter = performance.now();
  document.body.dataset.ready = 'true';
}

function titleMap(holder, map, code) {
  holder.querySelector('h2').textContent = codeTitle(code);
  map.above.setAttribute('aria-label', `Map of the ${codeTitle(code).toLowerCase()}`);
}

// The shared code has a map of phenotypes and one of the other side; a menu in the title changes between them.
function fillShared(holder, map, codes) {
  const menu = el('select', { 'aria-label': 'Which side’s shared code', onchange: () => map.show(codes[menu.selectedIndex]) }, codes.map((code) => el('option', {}, `${code.side}s`)));
  holder.querySelector('h2').replaceChildren('Shared code of ', menu);
  map.above.setAttribute('aria-label', 'Map of the shared code');
}

function fillControls() {
  const { content } = loaded;
  const colors = document.getElementById('color');
  content.columns.forEach((column, place) => column.colors && colors.append(el('option', { value: place, title: column.name }, column.label)));
  const { names, counts } = content.classes;
  const order = names.map((_, place) => place).sort((a, b) => counts[b] - counts[a] || a - b);
  document.getElementById('class').append(...order.map((place) => el('option', { value: place }, `${cut(names[place].replace(/ \(fr_.*\)$/u, ''), 60)} (${counts[place]})`)));
  document.getElementById('classes').hidden = !names.length;
  document.getElementById('label-head').textContent = labelHead();
  const seen = columnOf('seen_in_handover_model');
  if (seen) {
    const yes = seen.values.indexOf('yes') + 1;
    const n = yes ? seen.data.filter((code) => code === yes).length : 0;
    document.getElementById('seen').textContent = `The model of these maps was trained on ${n.toLocaleString('en-US')} of the ${content.n.toLocaleString('en-US')} compounds.`;
  }
}

function redraw() {
  showLegend();
  maps.forEach((map) => map.draw());
}

function showLegend() {
  const { column } = coloring;
  const holder = document.getElementById('legend');
  const entries = legendEntries();
  const chips = entries.map((entry) => el('button', { class: 'chip', title: `${entry.text}: show these ${entry.count} only`, onclick: () => showEntry(entry) }, el('i', { style: { background: entry.color } }), cut(entry.text, 34), el('small', {}, entry.count.toLocaleString('en-US'))));
  if (column && column.kind === 'number') {
    const range = (share) => shortNumber(coloring.low + share * (coloring.high - coloring.low));
    chips.push(el('span', { class: 'scale' }, el('span', {}, `≤ ${range(0)}`), el('span', { class: 'bar', style: { background: `linear-gradient(to right, ${CIVIDIS.join(',')})` } }), el('span', {}, `≥ ${range(1)}`), column.unit ? el('span', { class: 'note' }, column.unit) : null));
    const missing = column.data.filter(Number.isNaN).length;
    if (missing) chips.push(el('span', { class: 'note' }, el('i', { class: 'dot', style: { background: MISSING } }), `${missing.toLocaleString('en-US')} without a value`));
  }
  holder.replaceChildren(...chips);
  document.getElementById('choose').hidden = !(column && column.kind === 'category' && column.values.length > PALETTE.length);
  document.getElementById('chooser').hidden = true;
}

function showEntry(entry) {
  const test = inEntry(entry.code);
  state.markedLabel = cut(entry.text, 40);
  setMarks(Uint8Array.from({ length: loaded.content.n }, (_, i) => (test(i) ? 1 : 0)), 'legend');
}

// Which categories are coloured, where there are more than colours.
function showChooser() {
  const holder = document.getElementById('chooser');
  holder.hidden = !holder.hidden;
  document.getElementById('choose').setAttribute('aria-expanded', String(!holder.hidden));
  if (!holder.hidden) {
    fillChooser();
    document.getElementById('choose-search').focus();
  }
}

function fillChooser() {
  const { column, chosen } = coloring;
  const words = document.getElementById('choose-search').value.trim().toLowerCase();
  const codes = column.values.map((_, k) => k + 1).filter((code) => column.values[code - 1].toLowerCase().includes(words));
  codes.sort((a, b) => chosen.includes(b) - chosen.includes(a) || a - b);
  document.getElementById('choices').replaceChildren(...codes.slice(0, 60).map((code) => {
    const box = el('input', { type: 'checkbox', onchange: () => choose(code, box) });
    box.checked = chosen.includes(code);
    return el('label', {}, box, cut(column.values[code - 1], 60));
  }), codes.length > 60 ? el('p', { class: 'note' }, `${codes.length - 60} more: type a part of the name`) : '');
}

function choose(code, box) {
  let next = coloring.chosen.filter((each) => each !== code);
  if (box.checked && next.length >= PALETTE.length) {
    // the last of the palette makes room
    next = next.slice(0, PALETTE.length - 1);
  }
  if (box.checked) next.push(code);
  colorBy(coloring.column, next);
  redraw();
  document.getElementById('chooser').hidden = false;
  fillChooser();
}

function listen() {
  const on = (id, event, action) => document.getElementById(id).addEventListener(event, action);
  on('search', 'input', search);
  on('class', 'change', search);
  on('search', 'keydown', listKey);
  on('list', 'keydown', listKey);
  on('more', 'click', () => { list.shown += SHOWN_ROWS; fillList(); });
  on('clear', 'click', clearMarks);
  on('color', 'change', (event) => { colorBy(loaded.content.columns[Number(event.target.value)] || null); redraw(); });
  on('choose', 'click', showChooser);
  on('choose-search', 'input', fillChooser);
  on('save-table', 'click', saveTable);
  on('save-svg', 'click', saveSvg);
  on('save-png', 'click', savePng);
  on('reset', 'click', () => maps.forEach((map) => map.reset()));
  on('tabs', 'keydown', tabKey);
  TABS.forEach(([key]) => on(`tab-${key}`, 'click', () => openTab(key)));
  document.querySelectorAll('input[name="drag"]').forEach((button) => button.addEventListener('change', () => { state.drag = button.value; document.body.dataset.drag = button.value; }));
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') clearMarks();
    else if (event.key === '/' && !event.target.matches('input, select, textarea')) {
      event.preventDefault();
      document.getElementById('search').focus();
    }
  });
  new ResizeObserver(() => maps.forEach((map) => map.place())).observe(document.getElementById('maps'));
}

start().catch((error) => {
  const why = 'DecompressionStream' in window ? error.message : 'this browser is older than the page: Chrome 80, Firefox 113 or Safari 16.4 is needed';
  document.getElementById('count').textContent = `The page could not be read: ${why}`;
  throw error;
});
