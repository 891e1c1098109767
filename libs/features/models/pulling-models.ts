/** The models that a job of this process is bringing here now. */
export class PullingModels extends Set<string> {}
