'use strict';

const TABS = [['compound', 'Compound'], ['phenotype_to_molecule', 'Find by phenotype'], ['molecule_to_phenotype', 'Find by structure']];

function showPanel() {
  const body = document.getElementById('panel');
  TABS.forEach(([key]) => {
    const tab = document.getElementById(`tab-${key}`);
    tab.setAttribute('aria-selected', String(key === state.tab));
    tab.tabIndex = key === state.tab ? 0 : -1;
  });
  body.setAttribute('aria-labelledby', `tab-${state.tab}`);
  const i = state.selected;
  if (i < 0) body.replaceChildren(...welcome());
  else body.replaceChildren(headOf(i), ...(state.tab === 'compound' ? compoundOf(i) : retrievalOf(i, state.tab)));
  body.scrollTop = 0;
}

function tabKey(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const at = TABS.findIndex(([key]) => key === state.tab);
  openTab(TABS[(at + step + TABS.length) % TABS.length][0]);
  document.getElementById(`tab-${state.tab}`).focus();
}

function openTab(key) {
  state.tab = key;
  showPanel();
}

function welcome() {
  const { other } = loaded.content.about;
  return [
    el('h2', {}, 'Choose a compound'),
    el('ul', { class: 'plain' },
      el('li', {}, 'Click a point on a map or a row of the list; rings show its nearest neighbours in each code.'),
      el('li', {}, 'Draw a line around points to select them; drag with Shift to move, turn the wheel to zoom, double-click to go back.'),
      el('li', {}, `Find by phenotype asks which ${other} belongs to a compound’s phenotype; Find by ${other === 'molecule' ? 'structure' : other} asks the reverse. Both show held-out ranks.`),
      el('li', {}, 'Keyboard: / goes to the search box, arrow keys walk through the list or over a map, + and − zoom, Escape goes back to all.')),
  ];
}

function headOf(i) {
  const { content } = loaded;
  const seen = textOf(columnOf('seen_in_handover_model'), i);
  return el('header', { class: 'head' },
    structureOf(i, 170, 124),
    el('div', {},
      el('h2', { title: nameOf(i) }, cut(nameOf(i), 160)),
      el('p', { class: 'id' }, content.ids[i], labelOf(i) ? ` · ${cut(labelOf(i), 100)}` : ''),
      el('p', {}, seenBadge(seen))));
}

function seenBadge(seen) {
  if (!seen) return null;
  return seen === 'yes' ? el('span', { class: 'badge', title: 'The model of the maps was trained on this compound' }, 'seen by the maps’ model')
    : el('span', { class: 'badge unseen', title: 'The model of the maps was not trained on this compound' }, 'not seen by the maps’ model');
}

function compoundOf(i) {
  return [section('Held-out retrieval', rankSummary(i)), section('Phenotype', profileOf(i)), counterfactualsOf(i), section('Nearest neighbours on the maps', neighborsPart(i)), section('Wells', wellsOf(i)), section('All that is known', factsOf(i))].filter(Boolean);
}

function section(title, ...content) {
  return el('section', {}, el('h3', {}, title), ...content);
}

function rankSummary(i) {
  const library = numberOf('library_size', i);
  if (!Number.isFinite(library)) return el('p', {}, 'This compound was never held out, so nothing says how well it is found.');
  const { other } = loaded.content.about;
  const row = (words, way) => el('tr', {}, el('th', { scope: 'row' }, words), el('td', {}, shortNumber(numberOf(`rank_${way}`, i))), el('td', {}, percent(numberOf(`percentile_${way}`, i))));
  return el('table', { class: 'ranks' },
    el('caption', {}, `Among ${shortNumber(library)} ${library === 1 ? 'compound' : 'compounds'} held out in fold ${textOf(columnOf('fold'), i)}. Chance: rank ${shortNumber(numberOf('chance_rank', i))}, 50\u00a0%.`),
    el('thead', {}, el('tr', {}, el('td', {}), el('th', { scope: 'col' }, 'rank'), el('th', { scope: 'col' }, 'beats'))),
    el('tbody', {}, row(`its ${other} by its phenotype`, 'phenotype_to_molecule'), row(`its phenotype by its ${other}`, 'molecule_to_phenotype')));
}

function neighborsPart(i) {
  const { content } = loaded;
  const codes = content.codes.map((code) => {
    const found = neighborsOf(code, i);
    return el('div', {}, el('h4', {}, codeTitle(code)), found.length ? el('ol', { class: 'cards' }, found.map(({ item, cosine }) => el('li', {}, card(item, cosineText(cosine))))) : el('p', {}, 'There are no other compounds.'));
  });
  const own = codeLabelRate();
  return el('div', {}, el('p', { class: 'note' }, `By cosine, in the codes of the model of fold ${content.about.fold}. ● seen in its training, ○ not seen: similarities of compounds it was trained on are no evidence.${own}`), el('div', { class: 'codes' }, codes));
}

// How often two compounds share the label by chance: what a neighbour's label is to be held against.
function codeLabelRate() {
  const column = columnOf(loaded.content.about.label);
  if (!column || column.kind !== 'category') return '';
  const counts = new Map();
  let n = 0;
  column.data.forEach((code) => { if (code) { counts.set(code, (counts.get(code) || 0) + 1); n += 1; } });
  if (n < 2) return '';
  let pairs = 0;
  counts.forEach((count) => { pairs += count * (count - 1); });
  return ` By chance, two compounds share their ${inSentence(column.label)} in ${(100 * pairs / (n * (n - 1))).toFixed(1)} % of pairs; = marks neighbours that do.`;
}

// A compound as a button that selects it: structure, name, label, one number, and whether training saw it.
function card(item, number, { right = false, compare = state.selected, marked = true } = {}) {
  const column = columnOf(loaded.content.about.label);
  const same = column && column.data[item] && column.kind === 'category' && column.data[item] === column.data[compare] && item !== compare;
  const seen = textOf(columnOf('seen_in_handover_model'), item);
  const mark = seen && marked ? el('span', { title: seen === 'yes' ? 'seen in training' : 'not seen in training', 'aria-label': seen === 'yes' ? 'seen in training' : 'not seen in training', role: 'img' }, seen === 'yes' ? '●' : '○') : null;
  return el('button', { class: right ? 'card right' : 'card', title: nameOf(item), onclick: () => select(item, { focus: true }), onpointerenter: () => hover(item), onpointerleave: () => hover(-1) },
    el('span', { class: 'drawing' }, structureOf(item, 104, 62)),
    el('span', { class: 'title' }, cut(nameOf(item), 60)),
    el('span', { class: same ? 'label same' : 'label' }, `${same ? '= ' : ''}${cut(labelOf(item), 44)}`),
    el('span', { class: 'value' }, number, ' ', mark));
}

function wellsOf(i) {
  const { wells } = loaded.content;
  const rows = [];
  for (let w = wells.start[i]; w < wells.start[i + 1]; w += 1) {
    rows.push(el('tr', {}, el('td', {}, cut(wells.plates[wells.plate[w]], 40)), el('td', {}, wells.wells[wells.well[w]]), wells.dose_um ? el('td', {}, shortNumber(wells.dose_um[w])) : null, wells.cell_count ? el('td', {}, shortNumber(wells.cell_count[w])) : null));
  }
  const head = ['plate', 'well', ...(wells.dose_um ? ['dose (µM)'] : []), ...(wells.cell_count ? ['cell count'] : [])];
  const table = el('table', { class: 'wells' }, el('caption', {}, `${rows.length} ${rows.length === 1 ? 'well' : 'wells'}`), el('thead', {}, el('tr', {}, head.map((name) => el('th', { scope: 'col' }, name)))), el('tbody', {}, rows));
  return el('div', { class: 'scroll', tabindex: rows.length > 12 ? 0 : null, role: rows.length > 12 ? 'region' : null, 'aria-label': rows.length > 12 ? 'Wells' : null }, table);
}

function factsOf(i) {
  const { content } = loaded;
  const facts = [['SMILES', content.smiles[i] || ''], ...content.columns.map((column) => [column.label, textOf(column, i), column.name])];
  const groups = content.classes.names.filter((_, place) => isInClass(place, i)).map((name) => name.replace(/ \(fr_.*\)$/u, ''));
  if (groups.length) facts.push(['Substructures', groups.join('; ')]);
  return el('dl', { class: 'facts' }, facts.filter(([, text]) => text !== '').map(([label, text, name]) => [el('dt', { title: name }, label), el('dd', {}, text)]));
}
