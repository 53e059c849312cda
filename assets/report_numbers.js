/* Unpacks the numbers of curves, rankings and flows when they are first looked at. */

const MISSING = 65535, FINEST = 65534;  // as in lpa/report/packing.py

// Plain loops: a large page holds a million numbers.
const unpacked = (text, size, array, read) => {
  const bytes = atob(text), view = new DataView(new ArrayBuffer(bytes.length));
  for (let at = 0; at < bytes.length; at += 1) view.setUint8(at, bytes.charCodeAt(at));
  const found = new array(bytes.length / size);
  for (let at = 0; at < found.length; at += 1) found[at] = read(view, size * at);
  return found;
};
const fractions = (text) => unpacked(text, 2, Float64Array, (view, at) => {
  const step = view.getUint16(at, true);
  return step === MISSING ? NaN : step / FINEST;
});
const whole = (text) => unpacked(text, 2, Int32Array, (view, at) => {
  const step = view.getUint16(at, true);
  return step === MISSING ? -1 : step;
});
const floats = (text) => unpacked(text, 4, Float64Array, (view, at) => view.getFloat32(at, true));
const kept = new Map();
const once = (key, unpack) => {
  if (!kept.has(key)) kept.set(key, unpack());
  return kept.get(key);
};
const accuracies = (curve) => once(curve, () => fractions(curve.accuracy));
const intervals = (curve) => (curve.intervals ? once(curve.values, () => fractions(curve.intervals)) : null);
const accuracyOf = (curve, position) =>
  curve.values.map((_, row) => accuracies(curve)[row * data.classes.length + position]);
const ofClass = (curve, position) => {
  const limits = intervals(curve), width = data.classes.length, size = curve.values.length * width;
  const pick = (offset) =>
    curve.values.map((_, row) => (limits ? limits[offset + row * width + position] : NaN));
  return { accuracy: accuracyOf(curve, position), low: pick(0), high: pick(size) };
};
const columnsOf = (record) => once(record, () =>
  Object.fromEntries(Object.entries(record.columns).map(([name, text]) => [name, floats(text)])));
const flowsOf = (record) => once(record, () => {
  const to = whole(record.to), images = floats(record.images), claimed = whole(record.claimed);
  const [flow, low, high] = ["flow", "low", "high"].map((name) => fractions(record[name]).map((x) => 2 * x - 1));
  const rows = new Map();
  whole(record.of).forEach((position, at) => {
    if (!rows.has(position)) rows.set(position, []);
    rows.get(position).push({ to: to[at], images: images[at], flow: flow[at], low: low[at], high: high[at], claimed: claimed[at] });
  });
  return rows;
});
const flipsOf = (record) => once(record, () => ({ at: whole(record.at), said: whole(record.said) }));
