'use strict';

// A spreadsheet may run text that begins with one of these; an apostrophe before it keeps it text.
const RISKY = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠', "'"];

function cell(value) {
  if (typeof value === 'number') return Number.isFinite(value) ? String(Number(value.toPrecision(7))) : '';
  const safe = RISKY.some((start) => value.startsWith(start)) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function csvOf(rows) {
  const { content } = loaded;
  const head = ['compound_id', 'name', 'smiles', ...content.columns.map((column) => column.name)];
  const lines = rows.map((i) => [content.ids[i], content.names[i] || '', content.smiles[i] || '', ...content.columns.map((column) => (column.kind === 'number' ? column.data[i] : textOf(column, i)))]);
  return `${[head, ...lines].map((line) => line.map(cell).join(',')).join('\r\n')}\r\n`;
}

function save(content, type, ending) {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = el('a', { href: address, download: `${loaded.content.about.screen}_${ending}` });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

function saveTable() {
  // the mark at the beginning tells Excel that the text is UTF-8
  save(`\ufeff${csvOf(list.rows)}`, 'text/csv', 'compounds.csv');
  say(`${list.rows.length} compounds saved as CSV`);
}

function saveSvg() {
  save(pictureOf(), 'image/svg+xml', 'maps.svg');
  say('Picture saved as SVG');
}

function savePng() {
  const picture = new Image();
  const address = URL.createObjectURL(new Blob([pictureOf()], { type: 'image/svg+xml' }));
  picture.onload = () => {
    const canvas = el('canvas', { width: 3 * PICTURE.width, height: 3 * pictureHeight() });
    canvas.getContext('2d').drawImage(picture, 0, 0, canvas.width, canvas.height);
    URL.revokeObjectURL(address);
    canvas.toBlob((blob) => { save(blob, 'image/png', 'maps.png'); say('Picture saved as PNG'); }, 'image/png');
  };
  picture.src = address;
}
