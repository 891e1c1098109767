// One change to a sound body, at any place: a value taken away or replaced by something hostile, a number by its opposite.
const places = (value, path = []) => [
  path,
  ...(typeof value === 'object' && value !== null ? Object.keys(value).flatMap((key) => places(value[key], [...path, key])) : []),
];

/** The value with one place changed; `pick` (0..2³¹) says which and how, `poison` by what. */
export function spoiled(value, pick, poison) {
  const all = places(value);
  const path = all[pick % all.length];
  if (path.length === 0 && !isObject(value)) return poison;
  const copy = structuredClone(value);
  if (path.length === 0) return { ...copy, [typeof poison === 'string' ? poison.slice(0, 40) : 'unknown']: poison };
  const parent = path.slice(0, -1).reduce((inner, key) => inner[key], copy);
  const key = path.at(-1);
  if (Math.floor(pick / all.length) % 4 === 0 && !Array.isArray(parent)) delete parent[key];
  else put(parent, key, typeof parent[key] === 'number' && pick % 2 === 0 ? -parent[key] : poison);
  return copy;
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** As a parser of JSON does it: `__proto__` becomes a key like any other. */
function put(parent, key, value) {
  Object.defineProperty(parent, key, { value, enumerable: true, configurable: true, writable: true });
}
