/** Schemas: typed fields over words, their layout, and the description both sides compare. */
export { decodeSchema, differenceOf, joinSchemas } from './description.ts'
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
export {
  type Fields,
  isRegion,
  type Place,
  type RegionFields,
  type RegionSchema,
  regionTable,
  Schema,
  type TableSchema,
  type Tables,
  table,
} from './schema.ts'
