/** Schemas: typed fields over words, their layout, and the description both sides compare. */
export {
  array,
  type Bits,
  bits,
  type Counter,
  counter,
  type Field,
  type FieldArray,
  type Flag,
  flag,
  type Register,
  register,
  type ScalarField,
  type Toggle,
  toggle,
  type ValueCodec,
} from './fields.ts'
export { type Fields, type Place, Schema, type TableSchema, type Tables, table } from './schema.ts'
