// The config's methods behind the one door, on a file, settings, effect keys and a restart that are all in memory.
import { createHash } from 'node:crypto'
import { SluiceError } from '../../src/base/errors.ts'
import { loadSettings, type Settings } from '../../src/config/load.ts'
import { locate } from '../../src/config/locate.ts'
import { compareSettings } from '../../src/config/reload.ts'
import type { Caller } from '../../src/dispatch/caller.ts'
import { Dispatcher, type Handlers } from '../../src/dispatch/dispatcher.ts'
import { configHandlers } from '../../src/methods/config.ts'
import { type ConfigState, type Control, restartOnce } from '../../src/methods/control.ts'
import { isMethodName, type MethodName, type ParamsInput, type Result } from '../../src/protocol/catalogue.ts'
import type { EffectKey, Store } from '../../src/store/port.ts'
import { FakeClock } from '../fakes/clock.ts'

/** Secrets that a config may name. */
export const FILES: Readonly<Record<string, string>> = { '/run/token': 'a token in a file, long enough\n' }
export const ENV = { KEY: 'the value of KEY' }
const places = locate({}, '/nowhere')
const admin: Caller = { principal: 'operator', label: 'test', scopes: new Set(['operator.admin']) }
export const turn: Caller = { principal: 'session:s', label: 'the turn of s', scopes: new Set(), turn: {} as never }

export const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')

/** Effect keys as the store keeps them. */
function effectKeys() {
  const rows = new Map<string, { answer: unknown } | 'begun'>()
  const nameOf = ({ principal, method, key }: EffectKey) => [principal, method, key].join()
  const beginEffect = async ({ key }: { key: EffectKey }) => {
    const row = rows.get(nameOf(key))
    if (!row) rows.set(nameOf(key), 'begun')
    const state = row === undefined ? 'new' : row === 'begun' ? 'unknown' : 'done'
    return { value: { state, ...(typeof row === 'object' && row) }, repeated: row !== undefined }
  }
  const finishEffect = async ({ key, answer, undone }: { key: EffectKey; answer?: unknown; undone?: boolean }) => {
    if (undone) rows.delete(nameOf(key))
    else rows.set(nameOf(key), { answer: structuredClone(answer) })
    return { value: { kept: true }, repeated: false }
  }
  return { rows, store: { write: { beginEffect, finishEffect } } as unknown as Store }
}

/** `running`: the text by which the gateway started, when that is another than the one on disk now. */
export function openRoom(
  text: string | undefined,
  running = text ?? '',
  { env = ENV, others = {} }: { env?: Record<string, string>; others?: Record<string, string> } = {},
) {
  const clock = new FakeClock()
  const keys = effectKeys()
  const state = {
    text,
    writes: 0,
    applied: 0,
    broken: undefined as 'before' | 'after' | undefined,
    others: { ...FILES, ...others } as Record<string, string>,
  }
  const files = {
    readText: (path: string) => (path === places.configPath ? state.text : state.others[path]),
    writePrivateText: (_path: string, next: string) => {
      if (state.broken === 'before') throw new Error('ENOSPC: no space left')
      state.text = next
      state.writes += 1
      if (state.broken === 'after') throw new Error('EIO: folder not synced')
    },
    ensurePrivateFolder: () => undefined,
  }
  const load = (raw: string | undefined): Settings =>
    loadSettings({
      files: { ...files, readText: path => (path === places.configPath ? raw : state.others[path]) },
      env,
      places,
      portOverride: undefined,
      systemZone: 'Europe/Berlin',
      isMethod: isMethodName,
    })
  let settings = load(running)
  const started = settings
  let problem: ConfigState['problem']
  const restarts: (string | undefined)[] = []
  const control: Control = {
    config: { path: places.configPath, files, load },
    configState: () => ({ problem, restart: compareSettings(started, settings).restart }),
    apply: next => {
      settings = next
      problem = undefined
      state.applied += 1
    },
    refuse: issues => {
      problem = { issues, sinceMs: clock.now() }
    },
    restart: restartOnce(clock, reason => restarts.push(reason)),
  }
  const facts = { pid: 7, version: '9.9.9', startedAtMs: clock.now() } as never
  const handlers = configHandlers({ store: keys.store, clock, facts, settings: () => settings, control })
  const dispatcher = new Dispatcher(handlers as Handlers, clock)
  return {
    state,
    clock,
    keys,
    restarts,
    load,
    settings: () => settings,
    control,
    call: async <M extends MethodName>(method: M, params: ParamsInput<M>, caller = admin) =>
      (await dispatcher.call(method, params, { caller })) as Result<M>,
    /** A patch on the file as it is. */
    patch: (raw: string, caller = admin) =>
      dispatcher.call('config.patch', { raw, baseHash: hashOf(state.text ?? '') }, { caller }) as Promise<
        Result<'config.patch'>
      >,
  }
}

export const refusal = (answer: Promise<unknown>): Promise<SluiceError> =>
  answer.then(
    () => {
      throw new Error('it was not refused')
    },
    error => {
      if (error instanceof SluiceError) return error
      throw error
    },
  )
