/** The package ships no types: word lists by ISO 639-3 code (`porBr`, `panGu` and `lggNd` are variants). */
declare module 'stopword' {
  const lists: Record<string, string[]>;
  export = lists;
}
