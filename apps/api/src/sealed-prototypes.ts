/**
 * From here on nobody adds a member to the prototypes of plain objects, lists and functions: a flaw in a library that copies `__proto__` out of a
 * request cannot make every object of the process carry it (prototype pollution, CWE-1321); it fails instead.
 */
export function sealPrototypes(): void {
  for (const { prototype } of [Object, Array, Function]) Object.preventExtensions(prototype);
}
