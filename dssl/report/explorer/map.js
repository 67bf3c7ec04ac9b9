'use strict';

const FADED = '#eceef0';
const NEAR = 9; // pixels around the pointer in which a point is found

// One map on a canvas; a second canvas above it holds rings and the lasso, so that a moving pointer redraws no points.
class ScatterMap {
  constructor(holder, title, describe) {
    this.points = el('canvas', { 'aria-hidden': 'true' });
    this.above = el('canvas', { tabindex: 0, role: 'application', 'aria-label': title, 'aria-roledescription': 'map', 'aria-describedby': describe });
    holder.append(this.points, this.above);
    Object.assign(this, { holder, view: [1, 0, 0], lasso: null, dragged: null });
    this.above.addEventListener('pointerdown', (event) => this.press(event));
    this.above.addEventListener('pointermove', (event) => this.move(event));
    this.above.addEventListener('pointerup', (event) => this.release(event));
    this.above.addEventListener('pointercancel', () => this.drop());
    this.above.addEventListener('pointerleave', () => !this.lasso && hover(-1));
    this.above.addEventListener('wheel', (event) => this.zoom(event), { passive: false });
    this.above.addEventListener('dblclick', () => this.reset());
    this.above.addEventListener('keydown', (event) => this.key(event));
  }

  show(code) {
    this.code = code;
    this.reset();
  }

  reset() {
    this.view = [1, 0, 0];
    this.place();
  }

  // Sizes of the canvases, and the place of every point on them.
  place() {
    const { clientWidth: width, clientHeight: height } = this.holder;
    const ratio = window.devicePixelRatio || 1;
    for (const canvas of [this.points, this.above]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.getContext('2d').setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    const n = loaded.content.n;
    Object.assign(this, { width, height, x: new Float32Array(n), y: new Float32Array(n) });
    const [scale, right, down] = this.view;
    const side = Math.min(width, height) - 24;
    for (let i = 0; i < n; i += 1) {
      this.x[i] = width / 2 + right + (this.code.x[i] / 65535 - 0.5) * side * scale;
      this.y[i] = height / 2 + down - (this.code.y[i] / 65535 - 0.5) * side * scale;
    }
    this.radius = radiusOf(n) * Math.min(scale ** 0.5, 2.5);
    this.draw();
  }

  draw() {
    const context = this.points.getContext('2d');
    context.clearRect(0, 0, this.width, this.height);
    drawPoints(context, this);
    this.drawAbove();
  }

  drawAbove() {
    const context = this.above.getContext('2d');
    context.clearRect(0, 0, this.width, this.height);
    const ring = (i, radius, color, line) => {
      context.beginPath();
      context.arc(this.x[i], this.y[i], radius, 0, 2 * Math.PI);
      Object.assign(context, { strokeStyle: color, lineWidth: line });
      context.stroke();
    };
    if (state.selected >= 0) {
      neighborsOf(this.code, state.selected).forEach(({ item }) => ring(item, this.radius + 2.5, '#22303c', 1));
      ring(state.selected, this.radius + 6, '#ffffff', 5);
      ring(state.selected, this.radius + 6, '#c2185b', 2.5);
    }
    if (state.hovered >= 0) ring(state.hovered, this.radius + 4, '#22303c', 2);
    if (this.lasso) {
      context.beginPath();
      this.lasso.forEach(([x, y]) => context.lineTo(x, y));
      context.closePath();
      Object.assign(context, { strokeStyle: '#22303c', lineWidth: 1.2, fillStyle: 'rgba(0,114,178,0.10)' });
      context.stroke();
      context.fill();
    }
  }

  at(event) {
    const box = this.above.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  nearest([x, y]) {
    let best = NEAR * NEAR;
    let found = -1;
    for (let i = 0; i < this.x.length; i += 1) {
      const away = (this.x[i] - x) ** 2 + (this.y[i] - y) ** 2;
      // of points on top of one another, those that are not faded
      if (away < best && (!state.marked || state.marked[i])) {
        best = away;
        found = i;
      }
    }
    return found;
  }

  press(event) {
    if (event.button !== 0) return;
    this.above.setPointerCapture(event.pointerId);
    this.dragged = { from: this.at(event), view: [...this.view], far: false };
  }

  move(event) {
    const now = this.at(event);
    if (!this.dragged) {
      hover(this.nearest(now), event);
      return;
    }
    const { from, view } = this.dragged;
    if (!this.dragged.far && Math.hypot(now[0] - from[0], now[1] - from[1]) < 4) return;
    this.dragged.far = true;
    hover(-1);
    if (state.drag === 'move' || event.shiftKey) {
      this.view = [view[0], view[1] + now[0] - from[0], view[2] + now[1] - from[1]];
      this.place();
    } else {
      this.lasso = this.lasso || [from];
      this.lasso.push(now);
      this.drawAbove();
    }
  }

  release(event) {
    if (!this.dragged) return;
    const { lasso, dragged } = this;
    this.drop();
    if (lasso) markInside(this, lasso);
    else if (!dragged.far) {
      const found = this.nearest(this.at(event));
      if (found >= 0) select(found);
      else clearMarks();
    }
  }

  drop() {
    Object.assign(this, { lasso: null, dragged: null });
    this.drawAbove();
  }

  zoom(event) {
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY * 0.0015), this.at(event));
  }

  zoomBy(factor, [x, y]) {
    const [scale, right, down] = this.view;
    const next = Math.min(Math.max(scale * factor, 1), 60);
    const ratio = next / scale;
    const center = [x - this.width / 2, y - this.height / 2];
    this.view = next === 1 ? [1, 0, 0] : [next, center[0] - (center[0] - right) * ratio, center[1] - (center[1] - down) * ratio];
    this.place();
  }

  // Arrow keys go to the nearest point in their direction; plus and minus zoom.
  key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key in steps) {
      event.preventDefault();
      this.step(steps[event.key]);
    } else if (event.key === '+' || event.key === '-') {
      this.zoomBy(event.key === '+' ? 1.4 : 1 / 1.4, [this.width / 2, this.height / 2]);
    } else if (event.key === '0') this.reset();
  }

  step([right, down]) {
    const from = state.selected;
    if (from < 0) {
      select(0);
      return;
    }
    let best = Infinity;
    let found = -1;
    for (let i = 0; i < this.x.length; i += 1) {
      const [dx, dy] = [this.x[i] - this.x[from], this.y[i] - this.y[from]];
      const ahead = dx * right + dy * down;
      const aside = Math.abs(dx * down) + Math.abs(dy * right);
      if (i !== from && ahead > 0.01 && ahead >= aside && (!state.marked || state.marked[i]) && ahead + aside < best) {
        best = ahead + aside;
        found = i;
      }
    }
    if (found >= 0) select(found);
  }
}

function radiusOf(n) {
  return Math.min(4.2, Math.max(1.5, 26 / n ** 0.36));
}

// Points in the order of their colours, grey ones first, so that what is coloured lies on top.
function drawPoints(context, { x, y, radius }) {
  const faded = state.marked ? (i) => !state.marked[i] : () => false;
  const groups = coloring.palette.map(() => []);
  const pale = [];
  for (let i = 0; i < x.length; i += 1) (faded(i) ? pale : groups[coloring.index[i]]).push(i);
  [[FADED, pale], ...coloring.palette.map((color, k) => [color, groups[k]])].forEach(([color, rows]) => {
    context.fillStyle = color;
    context.globalAlpha = color === FADED ? 1 : 0.88;
    context.beginPath();
    for (const i of rows) {
      context.moveTo(x[i] + radius, y[i]);
      context.arc(x[i], y[i], radius, 0, 2 * Math.PI);
      // one path of all points takes time that grows with its square
      if (i % 64 === 63) {
        context.fill();
        context.beginPath();
      }
    }
    context.fill();
  });
  context.globalAlpha = 1;
}

function neighborsOf(code, i) {
  const found = [];
  for (let place = i * code.k; place < (i + 1) * code.k; place += 1) {
    if (code.places[place]) found.push({ item: code.places[place] - 1, cosine: code.cosines[place] / 10000 });
  }
  return found;
}

// Compounds inside the lasso on one map are marked on all of them.
function markInside(map, lasso) {
  const marked = new Uint8Array(loaded.content.n);
  for (let i = 0; i < marked.length; i += 1) marked[i] = isInside(map.x[i], map.y[i], lasso) ? 1 : 0;
  setMarks(marked, 'lasso');
}

function isInside(x, y, polygon) {
  let inside = false;
  for (let a = 0, b = polygon.length - 1; a < polygon.length; b = a, a += 1) {
    const [[xa, ya], [xb, yb]] = [polygon[a], polygon[b]];
    if (ya > y !== yb > y && x < ((xb - xa) * (y - ya)) / (yb - ya) + xa) inside = !inside;
  }
  return inside;
}
