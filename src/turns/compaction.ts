// What of a transcript is summarised, and when. Pure. A cut lies before an input, and never within the present turn: so a
// call keeps its result, what the turn said so far is whole, and its open calls are still there. Nothing is removed; the
// summary is an entry, from which on the context is built from it.
import type { Attachment, Entry, EntryBody } from '../store/rows.ts'
import { attachmentsLength, type Summary, sinceSummary } from './context.ts'

/** Of what a model takes: from how much on a transcript is summarised, and how much of it is kept word for word. */
const DUE_SHARE = 0.7
const KEPT_SHARE = 0.3
/** A summary must take at least so much of it away; else the request for it is worth nothing. */
const GAIN_SHARE = 0.1
/** The same in entries, of which a turn reads 500. */
export const DUE_ENTRIES = 350
export const KEPT_ENTRIES = 150
/** Who asks for a summary keeps so many characters word for word. */
const ASKED_KEPT_LENGTH = 12_000
/** Requests for a summary in one turn; one that is lost with its runner must not take the turn with it. */
export const SUMMARY_TRIES_MAX = 2
export const SUMMARY_LENGTH_MAX = 16_000
/** Of what a model takes, for the material of a summary; the rest is for what is said of it, and the answer. */
const MATERIAL_SHARE = 0.8
const RESULT_LENGTH_MAX = 2_000
const ARGS_LENGTH_MAX = 500
const TEXT_LENGTH_MAX = 8_000

export interface CompactionPlan {
  readonly keptFrom: number
  readonly summarised: number
  readonly kept: number
  /** Characters of context that the summary stands for. */
  readonly length: number
  /** What the model is to summarise, as text. */
  readonly material: string
}

/** `keep`: the newest characters and entries that stay word for word, where there are more. */
export interface CompactionBounds {
  readonly lengthMax: number
  readonly keep: { readonly length: number; readonly entries: number }
  /** Characters that have to go. */
  readonly gain: number
}

/** What a turn does by itself before it begins; undefined: nothing, there is room. */
export function duePlan(entries: readonly Entry[], runId: string, lengthMax: number): CompactionPlan | undefined {
  const { summary, live } = sinceSummary(entries)
  const isLong = lengthOfAll(live) + (summary?.summary.length ?? 0) > DUE_SHARE * lengthMax
  const isMany = live.length > DUE_ENTRIES
  if (!isLong && !isMany) return undefined
  const keep = { length: KEPT_SHARE * lengthMax, entries: KEPT_ENTRIES }
  return planCompaction(entries, runId, { lengthMax, keep, gain: isMany ? 0 : GAIN_SHARE * lengthMax })
}

/** What is done because somebody asks for it; `entriesMax` are kept where it is given. */
export function askedPlan(
  entries: readonly Entry[],
  runId: string,
  { lengthMax, entriesMax }: { lengthMax: number; entriesMax: number | undefined },
): CompactionPlan | undefined {
  const infinite = Number.POSITIVE_INFINITY
  const keep =
    entriesMax === undefined
      ? { length: ASKED_KEPT_LENGTH, entries: infinite }
      : { length: infinite, entries: entriesMax }
  return planCompaction(entries, runId, { lengthMax, keep, gain: 0 })
}

/** Undefined where nothing can be cut off, or it is not worth it. */
export function planCompaction(
  entries: readonly Entry[],
  runId: string,
  { lengthMax, keep, gain }: CompactionBounds,
): CompactionPlan | undefined {
  const { summary, live } = sinceSummary(entries)
  const own = live.findIndex(entry => entry.runId === runId)
  const limit = own < 0 ? live.length - 1 : own
  const cuts = live.flatMap(({ body }, index) => (index > 0 && index <= limit && isSaid(body) ? [index] : []))
  const fits = (index: number) => lengthOfAll(live.slice(index)) <= keep.length && live.length - index <= keep.entries
  if (fits(0)) return undefined
  const cut = cuts.find(fits) ?? cuts.at(-1)
  if (cut === undefined) return undefined
  const old = live.slice(0, cut)
  const length = lengthOfAll(old) + (summary?.summary.length ?? 0)
  if (lengthOfAll(old) <= gain) return undefined
  const kept = live.length - cut
  const room = MATERIAL_SHARE * lengthMax
  return { keptFrom: live[cut]?.id ?? 0, summarised: cut, kept, length, material: materialOf(summary, old, room) }
}

function isSaid(body: EntryBody): boolean {
  return body.kind === 'input' && !body.control
}

/** Requests for a summary that this run has made since its last one was written. */
export function triesOf(entries: readonly Entry[], runId: string): number {
  const own = entries.filter(entry => entry.runId === runId).map(({ body }) => body)
  const since = own.findLastIndex(body => body.kind === 'compaction') + 1
  return own.slice(since).filter(body => body.kind === 'attempt' && body.summary).length
}

function lengthOfAll(entries: readonly Entry[]): number {
  return entries.reduce((sum, { body }) => sum + lengthOfBody(body), 0)
}

/** Characters that a model is shown of it. */
function lengthOfBody(body: EntryBody): number {
  switch (body.kind) {
    case 'input':
      return body.control ? 0 : body.text.length + attachmentsLength(body.attachments)
    case 'message':
      return body.text.length + (body.calls.length > 0 ? JSON.stringify(body.calls).length : 0)
    case 'result':
    case 'notice':
      return body.text.length
    case 'attempt':
    case 'decision':
    case 'compaction':
    case 'end':
      return 0
  }
}

/** The newest that have room; what came before them is known from the last summary, or not at all. */
function materialOf(summary: Summary | undefined, entries: readonly Entry[], room: number): string {
  const before = summary ? [`Summary of what came before:\n${summary.summary}`] : []
  const lines = entries.flatMap(({ body }) => linesOf(body))
  let left = room - (summary?.summary.length ?? 0)
  const start = lines.findLastIndex(line => {
    left -= line.length + 1
    return left < 0
  })
  const missing = start < 0 ? [] : [`(${start + 1} older lines are missing.)`]
  return [...before, ...missing, ...lines.slice(start + 1)].join('\n')
}

function linesOf(body: EntryBody): string[] {
  switch (body.kind) {
    case 'input':
      return body.control ? [] : [`User: ${clip(body.text, TEXT_LENGTH_MAX)}${namesOf(body.attachments)}`]
    case 'notice':
      return [`Assistant (notice): ${clip(body.text, TEXT_LENGTH_MAX)}`]
    case 'message': {
      const said = body.text === '' ? [] : [`Assistant: ${clip(body.text, TEXT_LENGTH_MAX)}`]
      return [...said, ...body.calls.map(call => `Call of ${call.name}: ${clipJson(call.args)}`)]
    }
    case 'result':
      return [`Result of ${body.name}${body.isError ? ' (error)' : ''}: ${clip(body.text, RESULT_LENGTH_MAX)}`]
    case 'attempt':
    case 'decision':
    case 'compaction':
    case 'end':
      return []
  }
}

function namesOf(attachments: readonly Attachment[] = []): string {
  return attachments.map(({ name, mime }) => ` [attached: ${name}, ${mime}]`).join('')
}

function clipJson(args: unknown): string {
  return clip(JSON.stringify(args) ?? '', ARGS_LENGTH_MAX)
}

/** The beginning of a text, never cut within a character. */
export function clip(text: string, lengthMax: number): string {
  if (text.length <= lengthMax) return text
  const cut = text.slice(0, lengthMax - 1)
  return `${cut.isWellFormed() ? cut : cut.slice(0, -1)}…`
}
