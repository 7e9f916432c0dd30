/**
 * Mends a space whose disk lost rows, without I/O: asks clients that followed it for theirs. What they lend is taken when with it the state
 * adds up to the digest that the space's record holds, and not otherwise; so it does not matter who lends, nor where in the log
 * he stands, as long as his rows are those of the last commit.
 *
 * All openings are forgotten then: since when a mended row is there nobody knows, so every reader loads afresh. Until it is done the
 * space serves nobody.
 */
import { Fingerprint } from '../algebra/index.ts'
import { AtomikError } from '../errors.ts'
import { limits } from '../limits.ts'
import { decodeSchema } from '../schema/index.ts'
import { type UplinkFrame, Writer, writeLack } from '../wire/index.ts'
import { sameLabel } from './label.ts'
import { sealRecord } from './records.ts'
import { type DamagedSpace, referenceOf, type StoredRow } from './space-image.ts'
import type { Grant } from './space-judge.ts'
import { accountRecord, epochKey, headKey, rowKeys, writeRow, writeSpaceHead } from './space-records.ts'
import type { Put } from './storage.ts'

export class SpaceRepair {
  readonly #space: string
  readonly #damage: DamagedSpace
  readonly #missing: { readonly table: number; readonly row: number }[] = []
  /** What each client lent so far, by connection. */
  readonly #lent = new Map<number, (StoredRow | undefined)[][]>()
  readonly #w = new Writer()

  constructor(space: string, damage: DamagedSpace) {
    this.#space = space
    this.#damage = damage
    for (const [table, rows] of damage.rows.entries())
      for (const [row, stored] of rows.entries()) if (stored === undefined) this.#missing.push({ table, row })
  }

  /** Rows that are damaged or missing. */
  get missing(): number {
    return this.#missing.length
  }

  /**
   * A client subscribes. When it followed this space, it is asked for rows; the messages that ask are returned.
   * @throws AtomikError `storage` when it can be of no help: it should come again later
   */
  subscribe(connection: number, frame: UplinkFrame & { type: 'subscribe' }, grant: Grant): Uint8Array[] {
    const { schema, epochs, head } = this.#damage
    const followed = epochs.some(
      ({ id }, i) => sameLabel(id, frame.epoch) && frame.lsn <= (epochs[i + 1]?.lsn ?? head.lsn),
    )
    if (!followed || grant.rows !== 'all' || decodeSchema(frame.schema).description !== schema.description)
      throw new AtomikError(
        'storage',
        `space ${this.#space} waits for a client that has the ${this.missing} rows its disk has lost`,
      )
    this.#lent.set(
      connection,
      this.#damage.rows.map(rows => [...rows]),
    )
    const messages: Uint8Array[] = []
    for (let i = 0; i === 0 || i < this.#missing.length; i += limits.lentRowsMax) {
      this.#w.reset()
      writeLack(this.#w, frame.attempt, this.#missing.slice(i, i + limits.lentRowsMax))
      messages.push(this.#w.finish())
    }
    return messages
  }

  /**
   * Rows from a client that was asked. Returns what mends the space, in one write, once that client has lent all of them and the state adds
   * up; undefined before.
   * @throws AtomikError `storage` when it does not add up with what this client lent
   */
  receive(connection: number, frame: UplinkFrame & { type: 'rows' }): Put[] | undefined {
    const rows = this.#lent.get(connection)
    if (rows === undefined) return undefined
    const { head, schema } = this.#damage
    for (const { table, row, key, words } of frame.rows) {
      if (row >= (rows[table]?.length ?? 0) || this.#damage.rows[table][row] !== undefined) continue
      if (words.length !== schema.layouts[table].words)
        throw new AtomikError('malformed', `a row of ${words.length} words in table ${table}`)
      const halves = new Int32Array(2 * words.length)
      for (const [i, { low, high }] of words.entries()) {
        halves[2 * i] = low
        halves[2 * i + 1] = high
      }
      // Not after the rows that follow, in the order of the log.
      const born = rows[table][row - 1]?.born ?? 1
      rows[table][row] = { born, changed: head.lsn, key, words: halves }
    }
    if (rows.some(table => table.some(row => row === undefined))) return undefined
    const puts = this.#complete(rows as StoredRow[][])
    if (puts !== undefined) return puts
    this.#lent.delete(connection)
    throw new AtomikError(
      'storage',
      `with the rows this client has, space ${this.#space} does not add up to its digest`,
    )
  }

  /** What mends a space that has all its rows, and records that belong nowhere; undefined for any other. */
  alone(): Put[] | undefined {
    return this.missing > 0 ? undefined : this.#complete(this.#damage.rows as StoredRow[][])
  }

  #complete(rows: readonly (readonly StoredRow[])[]): Put[] | undefined {
    const { schema, head } = this.#damage
    const reference = referenceOf(schema, rows)
    const addsUp = reference !== undefined && sameLabel(reference.fingerprint, head.digest)
    return addsUp ? this.#puts(rows) : undefined
  }

  leave(connection: number): void {
    this.#lent.delete(connection)
  }

  #puts(rows: readonly (readonly StoredRow[])[]): Put[] {
    const { head, epochs, strays } = this.#damage
    const recordPrint = new Fingerprint()
    recordPrint.low = this.#damage.recordPrint.low
    recordPrint.high = this.#damage.recordPrint.high
    const w = this.#w
    const puts: Put[] = strays.map(key => ({ key, value: undefined }))
    for (const { table, row } of this.#missing) {
      const { words, born, changed, key } = rows[table][row]
      w.reset()
      writeRow(w, born, changed, key, words, 0, words.length)
      puts.push(sealRecord(w, rowKeys(this.#space)(table, row)).put)
    }
    for (const { ordinal, sum } of epochs) {
      puts.push({ key: epochKey(this.#space, ordinal), value: undefined })
      accountRecord(recordPrint, sum, undefined)
    }
    w.reset()
    writeSpaceHead(w, { ...head, recordDigest: { low: recordPrint.low, high: recordPrint.high } })
    puts.push(sealRecord(w, headKey(this.#space)).put)
    return puts
  }
}
