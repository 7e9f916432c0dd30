/** Why a bar was missed and what would reach it, by the bar's name: printed beside it when it is missed. Each from a profile or a count. */
const profile =
  'the profile is flat: of about 6 µs CPU an update a fifth is collection (6 kB allocated an update, most of it small typed arrays for messages, bodies and records, and the objects of frames, batches, bounds and labels), a fifth the commit with its records and hashes, a sixth acceptance at the hub with digest, label and relay, a tenth the settling of own entries. It would take flat storage for bounds and batches, frames read without objects, and messages written into one reused buffer'

export const reasons: Readonly<Record<string, string>> = {
  'register storm beside json-joy': profile,
  'register storm beside Colyseus': profile,
  'saved size after 10⁶ writes':
    'records do not grow with writes, but the log numbers in them (birth and last change of a row) are varints: some rows take one byte more. Fixed width would make it equal, and the smaller state larger',
  'load after 10⁶ writes':
    'every record is hashed and every word mixed into the fingerprint, in code that has just been compiled; best of three loads in a fresh process, on a machine that was busy',
}
