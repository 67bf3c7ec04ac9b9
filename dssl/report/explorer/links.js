'use strict';

// What is looked at in one place is shown in all: maps, list, panel.
const maps = [];

function hover(i, event = null) {
  const tip = document.getElementById('tip');
  if (i < 0) tip.hidden = true;
  if (i !== state.hovered) {
    state.hovered = i;
    maps.forEach((map) => map.drawAbove());
    if (i >= 0) tip.replaceChildren(...tipOf(i));
  }
  if (i >= 0 && event) {
    tip.hidden = false;
    const [width, height] = [tip.offsetWidth, tip.offsetHeight];
    const left = event.clientX + 16 + width > window.innerWidth ? event.clientX - width - 12 : event.clientX + 16;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${Math.max(4, Math.min(event.clientY + 12, window.innerHeight - height - 4))}px`;
  }
}

function tipOf(i) {
  const { about } = loaded.content;
  const lines = [['Compound', loaded.content.ids[i]], [labelHead(), labelOf(i)], ['Doses (µM)', textOf(columnOf('doses_um'), i)], ['Plate', platesOf(i)]];
  const { column } = coloring;
  if (column && column.name !== about.label && column.name !== 'plate') lines.push([column.label, textOf(column, i) || 'not known']);
  return [
    structureOf(i, 200, 120),
    el('strong', {}, cut(nameOf(i), 90)),
    el('dl', {}, lines.filter(([label, text]) => label && text).map(([label, text]) => [el('dt', {}, label), el('dd', {}, cut(text, 60))])),
  ];
}

function platesOf(i) {
  const { wells } = loaded.content;
  const names = new Set();
  for (let w = wells.start[i]; w < wells.start[i + 1]; w += 1) names.add(wells.plates[wells.plate[w]]);
  const listed = [...names];
  return listed.length > 3 ? `${listed.slice(0, 3).join(', ')} and ${listed.length - 3} more` : listed.join(', ');
}

function select(i, { focus = false } = {}) {
  state.selected = i;
  document.body.toggleAttribute('data-selected', i >= 0);
  maps.forEach((map) => map.drawAbove());
  showPanel();
  markRow();
  say(i < 0 ? 'Nothing selected' : `${nameOf(i)}${labelOf(i) ? `, ${labelOf(i)}` : ''}`);
  if (focus) document.getElementById('panel').focus();
}

// Marked compounds keep their colour and fill the list; the others fade.
function setMarks(marked, by) {
  state.marked = marked;
  state.markedBy = by;
  if (by !== 'search') clearSearch();
  maps.forEach((map) => map.draw());
  showList();
}

function clearMarks() {
  setMarks(null, '');
}

function say(text) {
  document.getElementById('status').textContent = text;
}
