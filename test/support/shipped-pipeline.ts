/** Takes the place of src/stages/pipeline.ts in tests of a clone that has stages of its own. */
export { whole as pipeline } from './stages.ts'
