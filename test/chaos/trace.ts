// What strace wrote down of a process, as events in the order in which the kernel was asked and had answered: writes with
// their bytes, syncs, cuts. A call that other threads' calls came between stands on two lines; it begins at the first
// and is done at the second. It knows nothing of databases or gateways.
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'

/** What is to be traced, for strace's `-e trace=`. */
export const TRACED = 'pwrite64,pwritev,fdatasync,fsync,ftruncate,write,writev,sendto,sendmsg,unlink,rename'

/** `begun` and `done` are line numbers: what is done at a lower one was over when the other began. */
interface Call {
  readonly begun: number
  readonly done: number
  /** Path or socket behind the descriptor. */
  readonly target: string
}

export type TracedCall = Call &
  (
    | { readonly kind: 'write'; readonly bytes: Buffer; readonly offset: number | undefined }
    | { readonly kind: 'sync' }
    | { readonly kind: 'truncate'; readonly size: number }
    | { readonly kind: 'unlink' }
  )

const LINE = /^(\d+) +(.*)$/
const RESUMED = /^<\.\.\. (\w+) resumed>(.*)$/
const UNFINISHED = ' <unfinished ...>'
const CALL = /^(\w+)\((.*)\) += (-?\d+)/
const TEXT = /"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?/g
const TARGET = /^\d+<(.*?)>(?:\(deleted\))?(?:, |$)/

function decoded(hex: string): Buffer {
  return Buffer.from(hex.replaceAll('\\x', ''), 'hex')
}

/** The bytes of all the strings among the arguments. Throws where strace has cut one off. */
function bytesOf(args: string): Buffer {
  const parts = [...args.matchAll(TEXT)].map(([, hex = '', cut]) => {
    if (cut) throw new Error('a traced write was cut off: give strace a larger -s')
    return decoded(hex)
  })
  return Buffer.concat(parts)
}

function targetOf(args: string): string {
  const name = TARGET.exec(args)?.[1] ?? ''
  return name.replaceAll(/(?:\\x[0-9a-f]{2})+/g, hex => decoded(hex).toString('utf8'))
}

function parsed(text: string, place: { begun: number; done: number }): TracedCall | undefined {
  const [, name, args = '', result] = CALL.exec(text) ?? []
  if (name === undefined || Number(result) < 0) return undefined
  const call = { ...place, target: targetOf(args) }
  switch (name) {
    case 'fsync':
    case 'fdatasync':
      return { ...call, kind: 'sync' }
    case 'ftruncate':
      return { ...call, kind: 'truncate', size: Number(/, (\d+)$/.exec(args)?.[1]) }
    case 'unlink':
      return { ...call, kind: 'unlink', target: bytesOf(args).toString('utf8') }
    case 'rename':
      return undefined
    default: {
      const offset = name.startsWith('pwrite') ? Number(/, (\d+)$/.exec(args)?.[1]) : undefined
      return { ...call, kind: 'write', bytes: bytesOf(args).subarray(0, Number(result)), offset }
    }
  }
}

/** The calls of a trace that was taken with `-f -yy -xx`, in the order in which they were done. */
export async function readTrace(file: string): Promise<TracedCall[]> {
  const calls: TracedCall[] = []
  const open = new Map<string, { text: string; begun: number }>()
  let number = 0
  for await (const line of createInterface({ input: createReadStream(file, 'latin1') })) {
    number += 1
    const [, thread = '', text = ''] = LINE.exec(line) ?? []
    const resumed = RESUMED.exec(text)
    if (text.endsWith(UNFINISHED)) {
      open.set(thread, { text: text.slice(0, -UNFINISHED.length), begun: number })
      continue
    }
    const start = resumed ? open.get(thread) : { text: '', begun: number }
    if (!start) continue
    const call = parsed(start.text + (resumed ? (resumed[2] as string) : text), { begun: start.begun, done: number })
    if (call) calls.push(call)
  }
  return calls
}
