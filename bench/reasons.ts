/** Why a bar was missed and what would reach it, by the bar's name: printed beside it when it is missed. Each from a profile or a count. */
const profile =
  'the floor written by hand, a typed array and frames of 12 bytes without any guarantee, is itself only about 3.2 × json-joy and 2.2 × Colyseus when all are warm (table below), so what was asked is faster than the floor, or 7 % slower. Here an update passes ten stages, most of which no peer has: of its CPU time (profile, beside other work) a fifth is acceptance at the hub (reading, digest, label, judging, fold with its fingerprint, log), a sixth the commit with records, hashes and heads, a sixth sealing, label and encoding, an eighth the settling of the own entry, a tenth the change in the editor; the largest single function has a fifteenth. No stage leaves anything on the heap for an update; 16 bytes are the caller’s reading of the clock, 9 belong to the commit of each group (npm run storm). Nearer to the floor would bring: hashes of records by words of 32 bits (a new storage format), fewer batches in flight at once, and acceptance, fold and digest in one WebAssembly call over rows that lie in its memory'
export const reasons: Readonly<Record<string, string>> = {
  'sparse encode, 0.1 % changed':
    'a fold of the same bytes, which only reads them, was 0.99 to 1.04 × as fast as the encoder in interleaved runs at loads 9 to 14, and C is no faster than its own fold: both wait for the third-level cache. What is left is the time between two parts, when runs are written and little is read; the next part is read ahead for that',
  'digest, 8 MiB':
    'a step is three shifts and four XORs of 16 bytes; those of fourteen lanes fill the three vector units of this processor, and two lanes are computed beside them in 64-bit registers: 23.7 GB/s from the first-level cache. From the third level the figure follows what else uses it; four lanes beside the vectors won 3 % more here, and would lose on processors that start fewer instructions a clock',
  'scatter into 256 MiB':
    'each delta brings a line of its own from memory, sorted or not. In one interleaved run at load 13 a delta took 21 ns in C, and sorted 17: 5 to count and file the records, 12 to apply them. Where memory is less busy C gains more of it; at loads 8 to 10 sorting won 1.03 to 1.44 ×. Lines of records collected before they are written, and reading ahead unsorted, were slower',
  'register storm beside json-joy': profile,
  'register storm beside Colyseus': profile,
  'saved size after 10⁶ writes':
    'the records are the same ones (engine/metadata.test.ts): a word takes a byte less for each zero byte at its ends, which differs with the values; a head keeps the bounds of its last 64 batches, 18 bytes each; the log number of a row takes a byte more beyond 127, 16,383 and 2,097,151 entries; a stamp takes two bytes less for the first change of a millisecond',
  'load after 10⁶ writes':
    'every record is hashed and every word mixed into the fingerprint, in code that was compiled not long before; best of 3 to 50 loads',
}
