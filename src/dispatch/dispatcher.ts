// The one door (W1): every operation, whoever asks, is a method of the catalogue run here. It finds, allows, validates
// and bounds a call, then hands it to its handler. It knows no transport, no store and no tool.
import { createHash } from 'node:crypto'
import { asSluiceError, type ErrorCode, SluiceError } from '../base/errors.ts'
import type { Clock } from '../base/world.ts'
import { Deadline } from '../coordination/deadline.ts'
import { declarationOf, isMethodName, type MethodName, type Params, type Result } from '../protocol/catalogue.ts'
import { paramsError } from '../protocol/error-codes.ts'
import type { MethodDeclaration } from '../protocol/method.ts'
import { CallCounts } from './call-counts.ts'
import { type Caller, mayCall } from './caller.ts'

/** What makes an effect happen once; handed to the store function that makes it (T1). */
export interface CallKey {
  readonly principal: string
  readonly method: string
  readonly key: string
  readonly paramsHash: string
}

export interface Call<M extends MethodName> {
  readonly method: M
  readonly params: Params<M>
  readonly caller: Caller
  /** Aborts when the caller gave up or the deadline on the work has passed. */
  readonly signal: AbortSignal
  /** Aborts when the caller gave up; what a wait listens to, because a wait has its own bound. */
  readonly callerSignal: AbortSignal
  readonly key: CallKey | undefined
  /** Sends an answer ahead of the final one, to callers that take two. */
  readonly early: (payload: Result<M>) => void
  /** Whether the caller takes an early answer and then waits for the final one. */
  readonly takesTwo: boolean
  /** Waits for something that has its own bound: the deadline on the work stands still meanwhile. */
  readonly wait: <T>(wait: () => Promise<T>) => Promise<T>
}

export type Handler<M extends MethodName> = (call: Call<M>) => Promise<Result<M>> | Result<M>
/** Total: a method without a handler does not compile. */
export type Handlers = { readonly [M in MethodName]: Handler<M> }

export interface CallOptions {
  readonly caller: Caller
  readonly signal?: AbortSignal
  /** Overrides `params.idempotencyKey`; a turn's tool calls have the key of their journal entry. */
  readonly key?: string
  readonly early?: (payload: unknown) => void
  /** The caller's own bound on the work; wins over the method's. */
  readonly deadlineMs?: number
}

type Deadlines = Pick<ReadonlyMap<string, number>, 'get'>

const KEYLESS: ReadonlySet<string> = new Set(['idempotencyKey'])
const NEVER = new AbortController().signal
const ignore = () => undefined

export class Dispatcher {
  readonly #handlers: Handlers
  readonly #clock: Clock
  readonly #deadlinesMs: Deadlines
  /** Each call is in it when it has ended. */
  readonly counts = new CallCounts()

  /** `deadlinesMs` overrides the declared bounds by method name; it is asked anew for each call. */
  constructor(handlers: Handlers, clock: Clock, deadlinesMs: Deadlines = new Map()) {
    this.#handlers = handlers
    this.#clock = clock
    this.#deadlinesMs = deadlinesMs
  }

  /** Runs a method named by a string from outside; throws SluiceError. */
  async call(name: string, params: unknown, options: CallOptions): Promise<unknown> {
    const span: Span = { fromMs: this.#clock.monotonic() }
    let failed: ErrorCode | undefined
    try {
      const work = this.#begin({ name, params, options }, span)
      // A read is answered in place: there is nothing to bound, and nothing to await.
      return work instanceof Promise ? await work : work
    } catch (error) {
      failed = asSluiceError(error).code
      throw error
    } finally {
      this.counts.add(isMethodName(name) ? name : 'unknown', this.#clock.monotonic() - span.fromMs, failed)
    }
  }

  #begin({ name, params, options }: Asked, span: Span): unknown {
    const method = this.#admit(name, options.caller)
    const declaration = declarationOf(method)
    const parsed = parse(declaration, method, { params, caller: options.caller })
    const deadlineMs = options.deadlineMs ?? this.#deadlinesMs.get(method) ?? declaration.deadlineMs
    const callerSignal = options.signal ?? NEVER
    let made: Deadline | undefined
    const deadline = () => {
      made ??= new Deadline(this.#clock, deadlineMs, { what: method, outer: callerSignal })
      return made
    }
    const handler = this.#handlers[method] as Handler<MethodName>
    const work = handler({
      method,
      params: parsed,
      caller: options.caller,
      get signal() {
        return deadline().signal
      },
      callerSignal,
      key: keyOf(method, declaration, { params: parsed, options }),
      early: options.early ?? ignore,
      takesTwo: options.early !== undefined,
      // A call that was given up must not go on to park what its turn holds.
      wait: wait =>
        deadline().givenUp ? Promise.reject(deadline().unknown()) : this.#untimed(span, deadline().standStill(wait)),
    } as Call<MethodName>)
    return work instanceof Promise ? bounded(work, deadline(), { method, declaration, deadlineMs }) : work
  }

  /** A wait that the call asked for is no work of it. */
  #untimed<T>(span: Span, wait: Promise<T>): Promise<T> {
    const beganMs = this.#clock.monotonic()
    return wait.finally(() => {
      span.fromMs += this.#clock.monotonic() - beganMs
    })
  }

  /** Scope errors come before `unknown method`, so that names cannot be probed without admin. */
  #admit(name: string, caller: Caller): MethodName {
    if (!isMethodName(name)) {
      if (!mayCall(caller, { scope: 'operator.admin' })) throw missingScope('operator.admin')
      throw new SluiceError('INVALID_REQUEST', `unknown method: ${name.slice(0, 100)}`)
    }
    const declaration = declarationOf(name)
    if (mayCall(caller, declaration)) return name
    if (!caller.turn) throw missingScope(declaration.scope)
    throw new SluiceError('FORBIDDEN', `${caller.label} may not call ${name}: its tools do not include that.`)
  }
}

interface Asked {
  readonly name: string
  readonly params: unknown
  readonly options: CallOptions
}

/** Since when a call works; moves on by the time it has waited. */
interface Span {
  fromMs: number
}

function missingScope(scope: string): SluiceError {
  return new SluiceError('FORBIDDEN', `missing scope: ${scope}`)
}

function parse(declaration: MethodDeclaration, method: string, from: { params: unknown; caller: Caller }): unknown {
  const context = from.caller.zone === undefined ? {} : { zone: from.caller.zone }
  const raw = from.params ?? {}
  const result = declaration.params.safeParse(declaration.lenient ? declaration.lenient(raw, context) : raw)
  if (!result.success) throw paramsError(method, result.error, declaration.example)
  return result.data
}

function keyOf(
  method: string,
  declaration: MethodDeclaration,
  from: { params: unknown; options: CallOptions },
): CallKey | undefined {
  if (declaration.replay === 'read') return undefined
  const { idempotencyKey } = from.params as { idempotencyKey?: string }
  const key = from.options.key ?? idempotencyKey
  if (key === undefined) return undefined
  const hashed = JSON.stringify(from.params, (name, value) => (KEYLESS.has(name) ? undefined : value))
  const paramsHash = createHash('sha256').update(hashed).digest('base64url')
  return { principal: from.options.caller.principal, method, key, paramsHash }
}

interface Bound {
  readonly method: string
  readonly declaration: MethodDeclaration
  readonly deadlineMs: number
}

async function bounded(work: Promise<unknown>, deadline: Deadline, bound: Bound): Promise<unknown> {
  const { method, declaration, deadlineMs } = bound
  try {
    const result = await deadline.lastWord(work)
    if (!deadline.expired || declaration.replay === 'read') return result
    throw committedLate(method, deadlineMs, result)
  } catch (error) {
    throw truthful(error, deadline, deadlineMs)
  } finally {
    deadline.end()
  }
}

/** The caller's time was over before the work was; what was done is said, and handed over (W6). */
function committedLate(method: string, deadlineMs: number, result: unknown): SluiceError {
  const message = `${method} took longer than ${deadlineMs} ms, but it was done: details.result is its answer. Do not repeat it.`
  return new SluiceError('TIMEOUT', message, { outcome: 'committed', details: { result } })
}

/** Work that was dropped because its deadline passed is reported as just that (W6). */
function truthful(error: unknown, deadline: Deadline, deadlineMs: number): unknown {
  if (!deadline.expired || !(error instanceof SluiceError) || error.outcome !== 'not-started') return error
  const message = `Not done within ${deadlineMs} ms: it was not started and nothing changed. Try again.`
  return new SluiceError('TIMEOUT', message, { outcome: 'not-started', cause: error })
}
