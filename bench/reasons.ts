/** Why a bar was missed and what would reach it, by the bar's name: printed beside it when it is missed. Each from a profile or a count. */
const profile =
  '76 to 91 bytes of heap are left an update (npm run storm, three runs beside other work), and the profile, taken before the last steps, is flat: of the CPU time of an update a quarter is acceptance at the hub (reading, label, judging, fold with its fingerprint, log), an eighth the commit with its record and hash, an eighth the settling of the own entry, an eighth the change in the editor, an eighth sealing, label and encoding; the largest single function has a twentieth. The peers do neither labels nor digests nor a log nor records nor acknowledgements. In one process that goes on, once all is compiled after some 800,000 updates, it takes 1.8 µs of CPU an update beside 3.1 of json-joy and 2.1 of Colyseus; the bench starts anew for each run, which throws compiled code away, and measures 3.3. To reach five times, a change would have to pass fewer stages: fingerprint, label and record digest in one WebAssembly call on the words where they lie, hashes by words of 32 bits in place of bytes in records (a new storage format), and the log entry, record and own entry made once a commit and row instead of once an update'
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
    'not looked into: the number of records does not grow (engine/metadata.test.ts), numbers in them are varints and take more bytes as they grow, and which of them make up the difference was not measured',
  'load after 10⁶ writes':
    'every record is hashed and every word mixed into the fingerprint, in code that has just been compiled; best of three loads in a fresh process, on a machine that was busy',
}
