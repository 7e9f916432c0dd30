// Small wrong definitions: each must break the build, or the theorems do not speak of it. A mutant is a copy of the theories
// with one definition changed; the file and those after it in the order of the build are compiled until one fails.
// Usage: node mutations.js order…, after the theories are built.
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const room = fileURLToPath(new URL('.', import.meta.url))
const order = process.argv.slice(2)
const jobs = 2

/** [what, file, from, to]; `from` must occur exactly once. */
const mutations = [
  [
    'drop the head check',
    'Ledger',
    'head (inc b) led == (from b, past b).',
    'head (inc b) led == head (inc b) led.',
  ],
  [
    'check numbers, not labels',
    'Ledger',
    'head (inc b) led == (from b, past b).',
    '(head (inc b) led).1 == from b.',
  ],
  [
    'labels may collide',
    'Ledger',
    'Hypothesis label_inj : forall i, injective (label i).',
    'Hypothesis label_inj : forall i, label i = label i.',
  ],
  ['fold an entry twice', 'Star', '(reference x ⊙ effect e)', '(reference x ⊙ effect e ⊙ effect e)'],
  ['an ack leaves the batch pending', 'Star', '[seq b <- pending x | b != e.1]\n', '(pending x)\n'],
  ['apply a refused batch', 'Star', 'if e.2 then delta e.1 else rest.', 'delta e.1.'],
  [
    'a snapshot leaves what it contains pending',
    'Star',
    '[seq b <- pending x | name b \\notin ns]',
    '(pending x)',
  ],
  [
    'stream before it is durable',
    'Star',
    '| Stream k e : k < dur w ->',
    '| Stream k e : k < size (log w) ->',
  ],
  [
    'snapshot before it is durable',
    'Star',
    '| Snapshot m : m <= dur w ->',
    '| Snapshot m : m <= size (log w) ->',
  ],
  [
    'a hub crash loses what was synced',
    'Star',
    '| CrashHub n : dur w <= n <= size (log w) ->',
    '| CrashHub n : n <= size (log w) ->',
  ],
  [
    'announce a fork before it is durable',
    'Star',
    'b \\in up w -> blocked (ledger (durable w)) b ->',
    'b \\in up w -> blocked (ledger (log w)) b ->',
  ],
  [
    'resume numbers under a new incarnation',
    'Star',
    '(reference x) i [::] (pending x).',
    '(reference x) i (tip x) (pending x).',
  ],
  ['take any entry as the next', 'Star', 'if k == lsn x then', 'if true then'],
  [
    're-issue only the first lost batch',
    'Star',
    'Definition lost x b := [seq c <- pending x | (inc c == inc b) && (from b <= from c)].',
    'Definition lost x b := [seq c <- pending x | c == b].',
  ],
  [
    'SWAP without clearing',
    'Operations',
    "(if v is Some v' then v' else read x) rest)",
    "(if v is Some v' then v' else read x) (acc x))",
  ],
  ['SWAP returns the reference', 'Operations', '(read x, Context', '(base x, Context'],
  [
    'LOAD keeps what it was given as a delta',
    'Operations',
    'Definition load v := Context v rest.',
    'Definition load v := Context v v.',
  ],
  ['ignore the lane', 'Lanes', 'trim (value x + value y).', 'trim (N.lxor (value x) (value y)).'],
  ['max takes the smaller', 'Lanes', 'Bits (below2_max x y).', 'trim (N.min (value x) (value y)).'],
  ['a composed batch drops its first part', 'Folds', '(delta b ⊙ delta c).', '(delta c).'],
  [
    'accept a varint in more bytes than it needs',
    'Codec',
    'if (y =? 0)%num then None else Some ((x - 128',
    'if false then None else Some ((x - 128',
  ],
  [
    'accept a span that begins with a zero byte',
    'Codec',
    '(only (fun m => ~~ (m mod 256 =? 0)%num && (256 ^',
    '(only (fun m => (256 ^',
  ],
  ['accept another spelling', 'Codec', 'if g (f x) == x then Some (f x, r)', 'if true then Some (f x, r)'],
  ['runs may touch', 'Codec', 'places (p + g + k) qs', 'places (p + g) qs'],
  [
    'zigzag off by one',
    'Codec',
    '(2 * (2 ^ 64 - n) - 1)%num.\nDefinition',
    '(2 * (2 ^ 64 - n))%num.\nDefinition',
  ],
  [
    'a block ends where it began',
    'Codec',
    'rows_of (p + g + N.of_nat (size rs))%num',
    'rows_of (p + g)%num',
  ],
  [
    'weigh a waiting batch too little in the measure',
    'Convergence',
    'Definition weight := #|C|.+2.',
    'Definition weight := #|C|.',
  ],
  ['pads do not telescope', 'Sealed', 'inv (pad k) ⊙ d ⊙ pad k.+1.', 'inv (pad k) ⊙ d ⊙ pad k.'],
]

function compile(dir, file) {
  return new Promise(resolve => {
    const coqc = spawn('coqc', ['-Q', 'theories', 'ATOMiK', '-w', 'none', `theories/${file}.v`], { cwd: dir })
    coqc.stdout.resume()
    coqc.stderr.resume()
    coqc.on('error', () => resolve(-1))
    coqc.on('close', code => resolve(code))
  })
}

/** The file that breaks, or undefined when the mutant lives. */
async function run([what, file, from, to], number) {
  const source = readFileSync(`${room}theories/${file}.v`, 'utf8')
  if (source.split(from).length !== 2)
    throw new Error(`mutation “${what}”: its text does not occur exactly once in ${file}.v`)
  const dir = `${room}out/mutants/${number}`
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir, { recursive: true })
  cpSync(`${room}theories`, `${dir}/theories`, { recursive: true, preserveTimestamps: true })
  writeFileSync(
    `${dir}/theories/${file}.v`,
    source.replace(from, () => to),
  )
  let broken
  for (const name of order.slice(order.indexOf(file))) {
    const code = await compile(dir, name)
    if (code === -1) throw new Error('coqc does not run')
    if (code !== 0) {
      broken = name
      break
    }
  }
  rmSync(dir, { recursive: true, force: true })
  return broken
}

let killed = 0
const queue = mutations.map((mutation, number) => ({ mutation, number }))
async function worker() {
  for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
    const broken = await run(job.mutation, job.number)
    if (broken === undefined) console.error(`proofs: mutation lives: ${job.mutation[0]}`)
    else {
      killed++
      console.log(`mutation: ${job.mutation[0]} (${job.mutation[1]}.v): breaks ${broken}.v`)
    }
  }
}
try {
  await Promise.all(Array.from({ length: jobs }, worker))
} catch (error) {
  console.error(`proofs: ${error.message}`)
  process.exit(1)
}
console.log(`mutations: ${killed} of ${mutations.length} break the build`)
process.exit(killed === mutations.length ? 0 : 1)
