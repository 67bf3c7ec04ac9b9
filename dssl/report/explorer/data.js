'use strict';

// What dssl.report.explorer.container packed, with typed arrays in place of the references to them.
async function readContent(element) {
  const letters = atob(element.textContent.trim());
  const packed = new Uint8Array(letters.length);
  for (let place = 0; place < letters.length; place += 1) packed[place] = letters.charCodeAt(place);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  const block = await new Response(stream).arrayBuffer();
  const length = new DataView(block).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(block, 4, length)));
  return withArrays(header, block, Math.ceil((4 + length) / 8) * 8);
}

const ARRAYS = {
  uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array, uint32: Uint32Array, int32: Int32Array,
  float32: Float32Array,
};

function withArrays(value, block, start) {
  if (Array.isArray(value)) {
    // lists of texts are long; they hold no arrays
    return value.length && typeof value[0] === 'object' && value[0] !== null
      ? value.map((each) => withArrays(each, block, start)) : value;
  }
  if (value === null || typeof value !== 'object') return value;
  if ('array' in value) return new ARRAYS[value.array](block, start + value.at, value.length);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withArrays(each, block, start)]));
}

// The screen, once it is read, and what is being looked at.
const loaded = { content: null, byName: new Map() };
const state = { selected: -1, hovered: -1, marked: null, markedBy: '', query: '', group: '', tab: 'compound', drag: 'select' };

function columnOf(name) {
  return loaded.byName.get(name);
}

function numberOf(name, i) {
  const column = columnOf(name);
  return column && column.kind === 'number' ? column.data[i] : NaN;
}

function textOf(column, i) {
  if (!column) return '';
  if (column.kind === 'number') return Number.isNaN(column.data[i]) ? '' : shortNumber(column.data[i]);
  const code = column.data[i];
  return code ? column.values[code - 1] : '';
}

function nameOf(i) {
  return loaded.content.names[i] || loaded.content.ids[i];
}

function labelOf(i) {
  return textOf(columnOf(loaded.content.about.label), i);
}

function labelHead() {
  const column = columnOf(loaded.content.about.label);
  return column ? column.label : '';
}

function inSentence(label) {
  return /^.[a-z]/u.test(label) ? label[0].toLowerCase() + label.slice(1) : label;
}

function shortNumber(value) {
  if (!Number.isFinite(value)) return '–';
  const text = Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)));
  return text.replace('-', '−');
}

function percent(value) {
  return Number.isFinite(value) ? `${(100 * value).toFixed(value > 0.995 && value < 1 ? 1 : 0)}\u00a0%` : '–';
}

function cosineText(value) {
  return `cosine ${value.toFixed(2).replace('-', '−')}`;
}

function cut(text, width) {
  const letters = Array.from(text);
  return letters.length > width ? `${letters.slice(0, width - 1).join('')}…` : text;
}

// An element; texts are set as text, so that what a user typed is shown as typed.
function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (name === 'class') made.className = value;
    else if (name === 'style') Object.assign(made.style, value);
    else made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ''));
  return made;
}

function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
