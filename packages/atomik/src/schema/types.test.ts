/**
 * Goal: a wrong field or value does not compile. Method: `expectTypeOf` and `@ts-expect-error` lines; `npx tsc -p tsconfig.tests.json`
 * fails when one of them would compile after all. What runs here only shows that the right ones do.
 */
import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  array,
  bits,
  type Counter,
  counter,
  type FieldArray,
  type Flag,
  flag,
  type Register,
  register,
  toggle,
} from './fields.ts'
import { Schema, type TableSchema, table } from './schema.ts'

const Device = table({
  online: flag(),
  boots: counter(),
  room: register.text(24),
  celsius: register.f32(),
  serial: register.u64(),
  state: register.enum('idle', 'busy'),
  lamps: array(toggle(), 4),
})

describe('types', () => {
  it('are inferred by field name', () => {
    expectTypeOf(Device).toExtend<TableSchema>()
    expectTypeOf<keyof typeof Device.fields>().toEqualTypeOf<
      'online' | 'boots' | 'room' | 'celsius' | 'serial' | 'state' | 'lamps'
    >()
    expectTypeOf(Device.fields.online).toEqualTypeOf<Flag>()
    expectTypeOf(Device.fields.boots).toEqualTypeOf<Counter>()
    expectTypeOf(Device.fields.room).toEqualTypeOf<Register<string>>()
    expectTypeOf(Device.fields.celsius).toEqualTypeOf<Register<number>>()
    expectTypeOf(Device.fields.serial).toEqualTypeOf<Register<bigint>>()
    expectTypeOf(Device.fields.state).toEqualTypeOf<Register<'idle' | 'busy'>>()
    expectTypeOf(Device.fields.lamps).toExtend<FieldArray<ReturnType<typeof toggle>>>()
    expect(Object.keys(Device.fields)).toHaveLength(7)
  })

  it('of values are what a codec takes and gives', () => {
    const halves = new Int32Array(64)
    const { state, serial, room } = Device.fields
    state.codec.write('busy', halves, 0)
    expect(state.codec.read(halves, 0)).toBe('busy')
    const wrong = () => {
      // @ts-expect-error: not one of the names
      state.codec.write('gone', halves, 0)
      // @ts-expect-error: a u64 is a bigint
      serial.codec.write(1, halves, 0)
      // @ts-expect-error: a text is a string
      room.codec.write(7, halves, 0)
      // @ts-expect-error: this field was not declared
      return Device.fields.rooms
    }
    expect(wrong).toThrow()
  })

  it('forbid what a table cannot hold', () => {
    const wrong = [
      // @ts-expect-error: a row calls its own key so
      () => table({ key: counter() }),
      // @ts-expect-error: a row has this method itself
      () => table({ exists: flag() }),
      // @ts-expect-error: a field is made by its constructor
      () => table({ boots: 'counter' }),
      // @ts-expect-error: an array of bits would be bits
      () => table({ masks: array(bits(3), 2) }),
      // @ts-expect-error: nor are there arrays of arrays
      () => table({ grid: array(array(toggle(), 2), 2) }),
      // @ts-expect-error: an enum has at least one name
      () => register.enum(),
      // @ts-expect-error: a text says how long it may get
      () => register.text(),
      // @ts-expect-error: a schema is made of tables
      () => new Schema({ devices: { boots: counter() } }),
    ]
    expect(wrong).toHaveLength(8)
  })
})
