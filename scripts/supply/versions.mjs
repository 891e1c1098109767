/** True when `version` (1.2.3, with or without a suffix) is not below `floor`; a release is above its own pre-releases. */
export function isAtLeast(version, floor) {
  const [ours, theirs] = [parts(version), parts(floor)];
  for (const [index, number] of theirs.numbers.entries()) {
    const mine = ours.numbers[index] ?? 0;
    if (mine !== number) return mine > number;
  }
  return ours.suffix === '' || theirs.suffix !== '';
}

function parts(version) {
  const [numbers = '', ...suffix] = version.split('-');
  return { numbers: numbers.split('.').map(Number), suffix: suffix.join('-') };
}
