import { type ClientRig, itPython, runNodeClient, runPythonClient, startClientRig } from '../support/clients';
import { describeModels } from '../support/models';

describeModels('clients of OpenAI, unmodified', () => {
  let rig: ClientRig;
  beforeAll(async () => {
    rig = await startClientRig();
  });
  afterAll(() => rig?.api.close());

  // The number of cases, so that a suite that runs none of them is seen.
  it.each([
    ['openai-node.mjs', 40],
    ['langchain.mjs', 9],
    ['ai-sdk.mjs', 13],
  ])(
    '%s: %i cases',
    async (file, cases) => {
      expect(await runNodeClient(rig, file)).toEqual({ passed: cases, failure: '' });
    },
    300_000,
  );

  itPython(
    'openai for Python: 12 cases',
    async () => {
      expect(await runPythonClient(rig)).toEqual({ passed: 12, failure: '' });
    },
    900_000,
  );
});
