'use strict';

// Okabe and Ito's palette and cividis: told apart with every common kind of colour blindness
const PALETTE = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#f0e442', '#000000'];
const OTHER = '#b9bfc5';
const MISSING = '#e4e7ea';
const CIVIDIS = ['#00204d', '#00306f', '#2a406c', '#48526b', '#5e626e', '#727374', '#878479', '#9e9677', '#b6a971', '#d0be67', '#ead357', '#ffea46'];
const SHADES = 48;
const DIVERGING = ['#2166ac', '#4393c3', '#92c5de', '#d1e5f0', '#f7f7f7', '#fddbc7', '#f4a582', '#d6604d', '#b2182b'];

function between(colors, share) {
  const at = Math.min(Math.max(share, 0), 1) * (colors.length - 1);
  const low = Math.min(Math.floor(at), colors.length - 2);
  const parts = [1, 3, 5].map((k) => {
    const [a, b] = [colors[low], colors[low + 1]].map((color) => parseInt(color.slice(k, k + 2), 16));
    return Math.round(a + (b - a) * (at - low)).toString(16).padStart(2, '0');
  });
  return `#${parts.join('')}`;
}

// Which of `palette` each compound has (later ones are drawn on top), and what the legend says.
const coloring = { column: null, palette: [], index: null, chosen: [], low: 0, high: 1 };

function colorBy(column, chosen = null) {
  const n = loaded.content.n;
  coloring.column = column;
  coloring.index = new Uint8Array(n);
  if (!column) {
    Object.assign(coloring, { palette: [PALETTE[0]], chosen: [] });
  } else if (column.kind === 'number') {
    const sorted = column.data.filter((value) => !Number.isNaN(value)).sort();
    const quantile = (share) => sorted[Math.round(share * (sorted.length - 1))];
    const [low, high] = sorted.length > 100 ? [quantile(0.02), quantile(0.98)] : [sorted[0], sorted[sorted.length - 1]];
    const spread = high - low || 1;
    coloring.palette = [MISSING, ...Array.from({ length: SHADES }, (_, k) => between(CIVIDIS, k / (SHADES - 1)))];
    for (let i = 0; i < n; i += 1) {
      const value = column.data[i];
      if (!Number.isNaN(value)) {
        coloring.index[i] = 1 + Math.round(Math.min(Math.max((value - low) / spread, 0), 1) * (SHADES - 1));
      }
    }
    Object.assign(coloring, { low, high, chosen: [] });
  } else {
    coloring.chosen = chosen || column.values.slice(0, PALETTE.length).map((_, k) => k + 1);
    coloring.palette = [MISSING, OTHER, ...PALETTE];
    const place = new Uint8Array(column.values.length + 1).fill(1);
    place[0] = 0;
    coloring.chosen.forEach((code, k) => { place[code] = k + 2; });
    for (let i = 0; i < n; i += 1) coloring.index[i] = place[column.data[i]];
  }
}

function colorTitle(column) {
  if (!column) return 'no colour';
  return column.unit ? `${column.label} (${column.unit})` : column.label;
}

// Entries of the legend: colour, text, number of compounds, and the category's code where it stands for one.
function legendEntries() {
  const { column, chosen } = coloring;
  if (!column || column.kind === 'number') return [];
  const counts = new Uint32Array(column.values.length + 1);
  column.data.forEach((code) => { counts[code] += 1; });
  const entries = chosen.map((code, k) => ({ color: PALETTE[k], text: column.values[code - 1], count: counts[code], code }));
  const rest = column.data.length - counts[0] - entries.reduce((sum, each) => sum + each.count, 0);
  if (rest) entries.push({ color: OTHER, text: `${column.values.length - chosen.length} ${column.values.length - chosen.length === 1 ? 'other' : 'others'}`, count: rest, code: -1 });
  if (counts[0]) entries.push({ color: MISSING, text: 'not known', count: counts[0], code: 0 });
  return entries;
}

function inEntry(code) {
  const shown = new Set(coloring.chosen);
  return (i) => {
    const own = coloring.column.data[i];
    return code === -1 ? own > 0 && !shown.has(own) : own === code;
  };
}
