// A delimited text file as numeric columns. Nothing here leaves the page: its policy forbids every request.

const MOST_INPUTS = 200, MOST_ROWS = 20000, MOST_LEVELS = 10;
const MISSING = new Set(["", "na", "n/a", "nan", "null", "none", "?", "-"]);
const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;

const counted = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;

function cellsOf(text) {
  const first = text.replace(/"[^"]*"/g, "").split(/\r?\n/, 1)[0];  // delimiters within quotes do not count
  const delimiter = [",", ";", "\t", "|"].reduce((a, b) => (first.split(b).length > first.split(a).length ? b : a));
  const rows = [];
  let row = [], cell = "", quoted = false;
  const endRow = () => { row.push(cell); cell = ""; if (row.length > 1 || row[0].trim()) rows.push(row); row = []; };
  for (let i = text.charCodeAt(0) === 0xFEFF ? 1 : 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c !== '"') cell += c;
      else if (text[i + 1] === '"') { cell += c; i++; } else quoted = false;
    } else if (c === '"' && cell === "") quoted = true;
    else if (c === delimiter) { row.push(cell); cell = ""; }
    else if (c === "\n") endRow();
    else if (c !== "\r") cell += c;
  }
  if (cell || row.length) endRow();
  return { rows, decimalComma: delimiter === ";" };
}

// {name, values (NaN where missing)} for a column of numbers; {name, labels} for another one.
function columnOf(name, cells, decimalComma) {
  const trimmed = cells.map((cell) => (MISSING.has((cell ?? "").trim().toLowerCase()) ? "" : cell.trim().replace("−", "-")));
  const plain = decimalComma ? trimmed.map((cell) => cell.replace(",", ".")) : trimmed;
  if (plain.every((cell) => !cell || NUMBER.test(cell))) return { name, values: plain.map((cell) => (cell ? Number(cell) : NaN)) };
  return { name, labels: trimmed, levels: [...new Set(trimmed.filter(Boolean))].sort() };
}

function readTable(text) {
  const { rows, decimalComma } = cellsOf(text);
  if (rows.length < 4 || rows[0].length < 2) throw new Error("Expected a table with a header, at least two columns and three rows");
  const body = rows.slice(1, 1 + MOST_ROWS);
  const columns = rows[0].map((name, j) => columnOf(name.trim() || `column ${j + 1}`, body.map((row) => row[j]), decimalComma));
  return { columns, rows: body.length, left: rows.length - 1 - body.length };
}

const canBeTarget = (column) => (column.values ? column.values.some((x) => x === x) : column.levels.length === 2);

const indicator = (column, level) => column.labels.map((x) => (x ? Number(x === level) : NaN));

// The columns for a target: numbers as they are, other columns as indicators of every level but the first; rows without
// a target are left out, and other missing values become the mean of their column.
function designOf(table, target) {
  const found = table.columns[target], notes = [];
  const y = found.values ?? indicator(found, found.levels[1]);
  if (!found.values) notes.push(`The target is 1 for “${found.levels[1]}” and 0 for “${found.levels[0]}”.`);
  const rows = [...y.keys()].filter((i) => Number.isFinite(y[i]));
  if (rows.length < y.length) notes.push(`${counted(y.length - rows.length, "row")} without a target ${y.length - rows.length === 1 ? "is" : "are"} not used.`);
  if (table.left) notes.push(`Only the first ${table.rows} rows are used.`);
  const names = [], columns = [], unused = [];
  let filled = 0;
  const add = (name, values) => {
    const known = rows.map((i) => values[i]).filter(Number.isFinite), mean = known.reduce((a, b) => a + b, 0) / known.length;
    if (!known.some((x) => x !== known[0]) || columns.length >= MOST_INPUTS) { unused.push(name); return; }
    filled += rows.length - known.length;
    names.push(name);
    columns.push(Float64Array.from(rows, (i) => (Number.isFinite(values[i]) ? values[i] : mean)));
  };
  table.columns.forEach((column, j) => {
    if (j === target) return;
    if (column.values) add(column.name, column.values);
    else if (column.levels.length <= MOST_LEVELS) column.levels.slice(1).forEach((level) => add(`${column.name} = ${level}`, indicator(column, level)));
    else unused.push(column.name);
  });
  if (filled) notes.push(`${counted(filled, "missing value")} ${filled === 1 ? "is" : "are"} replaced by the mean of ${filled === 1 ? "its" : "their"} column.`);
  if (unused.length) notes.push(`Not used (constant, text with more than ${MOST_LEVELS} values, or beyond ${MOST_INPUTS} inputs): ${unused.join(", ")}.`);
  if (!columns.length) throw new Error("Expected at least one input that is not constant");
  const values = rows.map((i) => y[i]);
  if (!values.some((x) => x !== values[0])) throw new Error("Expected a target that is not constant");
  return { name: found.name, names, columns, y: values, notes };
}
