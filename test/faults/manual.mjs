/** A Markdown manual of `stations` short sections, different for each number: content for suites that need documents but not their meaning. */
export function manual(number, stations) {
  const parts = [`# Gearbox line ${number}`, `This manual describes line ${number} of the gearbox plant and its ${stations} stations.`];
  for (let station = 1; station <= stations; station++) {
    parts.push(
      `## Station ${station}`,
      `Station ${station} of line ${number} must be greased every ${station * 3 + number} hours with lubricant type L${station}. ` +
        `Its torque limit is ${station * 12 + number} newton metres. The operator checks the belt, the guard and the emergency stop before each shift, ` +
        `and writes the reading of gauge G${number}-${station} into the log book. When the reading is above ${station * 5 + 40} bar the line stops.`,
    );
  }
  return `${parts.join('\n\n')}\n`;
}
