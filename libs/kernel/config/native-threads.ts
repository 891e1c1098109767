/** Libraries that bring their own threads spin on shared cores: one each, unless somebody said otherwise. To be called before they are loaded. */
export function oneNativeThread(): void {
  for (const name of ['OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS']) process.env[name] ??= '1';
}
