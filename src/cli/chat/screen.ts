// The chat on a terminal: connects keys, events and the canvas. Takes the terminal over and always gives it back. What
// was typed is never lost to what arrives, and what arrives never waits for what is typed.
import { formatDuration } from '../../base/durations.ts'
import { asSluiceError, type SluiceError } from '../../base/errors.ts'
import type { GatewayEvent } from '../../client/client.ts'
import type { Arguments } from '../arguments.ts'
import { connectFor, withProgress } from '../gateway-link.ts'
import { EXIT, type Shell } from '../shell.ts'
import { paintFor } from '../text/paint.ts'
import { sanitizeLine } from '../text/sanitize.ts'
import { wantedSession } from '../wanted-session.ts'
import { Canvas } from './canvas.ts'
import { type CommandName, HELP_LINES, readCommand, statusLines } from './commands.ts'
import { type Action, applyKey, clear } from './editor.ts'
import { type Key, NOTHING_HELD, readKeys } from './keys.ts'
import { LastingLink } from './link.ts'
import { type Ack, Mailbox } from './mailbox.ts'
import { liveNotice, markRead, replyId, showUnread } from './notices.ts'
import { Questions, questionText } from './questions.ts'
import { Queued } from './queued.ts'
import { type Mark, Transcript } from './transcript.ts'

const PASTE_ON = '\u001b[?2004h'
const PASTE_OFF = '\u001b[?2004l'
/** After this long a lone escape character is the key, not the beginning of a sequence. */
const ESCAPE_MS = 50
const CALL = { timeoutMs: 10_000 }

export async function chatScreen(args: Arguments, shell: Shell): Promise<number> {
  const screen = new ChatScreen(args, shell)
  await screen.start()
  try {
    await screen.done
  } finally {
    screen.stop()
  }
  return EXIT.ok
}

class ChatScreen {
  readonly done: Promise<void>
  readonly #shell: Shell
  readonly #end = Promise.withResolvers<void>()
  readonly #canvas: Canvas
  readonly #link: LastingLink
  readonly #wantedKey: string | undefined
  readonly #giveBack: (() => void)[] = []
  readonly #unfinished = new Set<string>()
  readonly #queued = new Queued()
  readonly #questions = new Questions()
  #transcript = new Transcript([])
  #mailbox: Mailbox | undefined
  #sessionKey = ''
  #zone: string
  #held = NOTHING_HELD
  #leavingAsked = false
  #connection = ''

  constructor(args: Arguments, shell: Shell) {
    this.done = this.#end.promise
    this.#shell = shell
    this.#zone = shell.zone
    this.#wantedKey = wantedSession(args)
    this.#canvas = new Canvas({
      write: text => shell.stdout.write(text),
      size: () => ({ columns: shell.stdout.columns() || 80, rows: shell.stdout.rows() || 24 }),
      paint: paintFor(shell.color),
    })
    this.#link = new LastingLink(() => connectFor(args, shell), shell.clock, {
      event: event => this.#hear(event),
      down: (why, retryMs) => this.#lost(why, retryMs),
      up: () => this.#found(),
      tooOld: () => this.#anew(),
    })
  }

  async start(): Promise<void> {
    const client = await withProgress(this.#shell, 'waiting for the gateway', () => this.#link.start())
    const { mainSessionKey } = client.hello.snapshot.sessionDefaults
    this.#sessionKey = this.#wantedKey ?? mainSessionKey
    this.#transcript = new Transcript([this.#sessionKey])
    this.#mailbox = new Mailbox(this.#link, this.#sessionKey, {
      acknowledged: (key, ack) => this.#acknowledged(key, ack),
      refused: (key, error) => this.#refused(key, error),
    })
    try {
      await this.#greet(mainSessionKey)
    } catch (error) {
      this.#link.stop()
      throw error
    }
    this.#takeTerminal()
    this.#canvas.draw()
    await this.#missed()
  }

  stop(): void {
    this.#link.stop()
    this.#canvas.leave()
    for (const giveBack of this.#giveBack.splice(0)) giveBack()
  }

  /** Who answers, and under which key: the session's own, whatever form of it was asked for. */
  async #greet(mainSessionKey: string): Promise<void> {
    const session = await this.#link.call('sessions.status', { key: this.#sessionKey }, CALL)
    const forms = [this.#sessionKey, session.sessionKey, ...(session.sessionKey === mainSessionKey ? ['main'] : [])]
    this.#transcript = new Transcript(forms)
    this.#zone = session.zone
    for (const { runId } of session.runs) this.#transcript.begin(runId)
    this.#canvas.say(sanitizeLine(`Sluice · ${session.sessionKey} · ${session.model}`), 'bold')
    this.#canvas.say('/help shows what can be done here; Ctrl-D leaves.', 'dim')
    this.#canvas.space()
  }

  /** What was said and asked while nobody listened. */
  async #missed(): Promise<void> {
    await this.#unread()
    await this.#ask()
  }

  /** Shows what waits for a yes or no here. */
  async #ask(): Promise<void> {
    const asked = await this.#questions.fresh(this.#link, this.#sessionKey).catch((error: unknown) => {
      this.#tellError(error)
      return []
    })
    for (const approval of asked) {
      this.#canvas.space()
      this.#canvas.say(questionText(approval, (this.#shell.stdout.columns() || 80) - 1), 'yellow')
      this.#canvas.space()
    }
    this.#draw()
  }

  async #unread(): Promise<void> {
    const [sessionKey, transcript] = [this.#sessionKey, this.#transcript]
    const chat = { sessionKey, transcript, zone: this.#zone, clock: this.#shell.clock }
    await showUnread(this.#link, chat, lines => {
      for (const line of lines) this.#canvas.say(line, 'yellow')
      this.#canvas.space()
      this.#draw()
    }).catch((error: unknown) => this.#tellError(error))
  }

  #takeTerminal(): void {
    const { stdin, stdout } = this.#shell
    stdin.setRaw(true)
    stdout.write(PASTE_ON)
    const stopReading = stdin.read({ text: chunk => this.#type(chunk), end: () => this.#end.resolve() })
    this.#giveBack.push(
      stopReading,
      () => stdout.write(PASTE_OFF),
      () => stdin.setRaw(false),
      this.#shell.onResize(() => this.#draw()),
      this.#shell.onTerminate(() => this.#end.resolve()),
      // Raw mode makes Ctrl-C a key; an interrupt that still comes was sent by someone else.
      this.#shell.onInterrupt(() => this.#end.resolve()),
    )
  }

  #type(chunk: string): void {
    const { keys, held } = readKeys(this.#held, chunk)
    this.#held = held
    for (const key of keys) this.#press(key)
    this.#draw()
    if (held.rest !== '\u001b') return
    this.#shell.clock.after(ESCAPE_MS, () => {
      if (this.#held === held) this.#held = { ...held, rest: '' }
    })
  }

  #press(key: Key): void {
    if (key.kind !== 'interrupt') this.#leavingAsked = false
    const { editor, action } = applyKey(this.#canvas.editor, key)
    this.#canvas.editor = editor
    if (action) this.#act(action)
  }

  #act(action: Action): void {
    switch (action.kind) {
      case 'submit':
        this.#submit(action.text, action.shown)
        break
      case 'interrupt':
        this.#interrupt()
        break
      case 'eof':
        this.#end.resolve()
        break
      case 'clear-screen':
        this.#canvas.clearScreen()
        break
      case 'suspend':
        this.#canvas.say('Ctrl-Z does nothing here; Ctrl-D leaves.', 'dim')
        break
    }
  }

  #interrupt(): void {
    // The reply that comes just now; what is queued behind it is left. /stop stops all of it.
    if (this.#isBusy()) this.#do(() => this.#stopRuns(this.#transcript.running()))
    else if (this.#canvas.editor.items.length > 0) this.#canvas.editor = clear(this.#canvas.editor)
    else if (this.#leavingAsked) this.#end.resolve()
    else this.#leavingAsked = true
  }

  #isBusy(): boolean {
    return this.#transcript.running() !== undefined || this.#unfinished.size > 0
  }

  #submit(text: string, shown: string): void {
    const read = readCommand(text)
    if (read.kind === 'message') {
      const key = this.#shell.random.uuid()
      this.#queued.add(key, shown)
      // A reply that comes just now is not torn apart: what was typed is shown below it until its own turn. A turn that
      // asks says nothing meanwhile.
      if (!this.#isBusy() || this.#questions.isOpen) this.#echo(key)
      this.#unfinished.add(key)
      this.#mailbox?.send(key, text)
      return
    }
    this.#canvas.space()
    this.#canvas.say(`> ${shown}`, 'bold')
    if (read.kind === 'command') this.#run(read.name)
    else {
      this.#canvas.say(read.message, 'yellow')
      this.#canvas.space()
    }
  }

  /** Writes a message of ours for good, if it is not written yet. */
  #echo(key: string): void {
    const shown = this.#queued.take(key)
    if (shown === undefined) return
    this.#canvas.space()
    this.#canvas.say(`> ${shown}`, 'bold')
  }

  #run(name: CommandName): void {
    const runs: Readonly<Record<CommandName, () => Promise<void> | void>> = {
      help: () => {
        for (const line of HELP_LINES) this.#canvas.say(line, 'dim')
        this.#canvas.space()
      },
      stop: () => this.#stopRuns(),
      new: () => this.#reset(),
      compact: () => this.#compact(),
      status: () => this.#tellStatus(),
      quit: () => this.#end.resolve(),
      exit: () => this.#end.resolve(),
    }
    this.#do(runs[name])
  }

  #do(work: () => Promise<void> | void): void {
    Promise.resolve(work())
      .catch((error: unknown) => this.#tellError(error))
      .finally(() => this.#draw())
  }

  async #stopRuns(runId?: string): Promise<void> {
    const params = { sessionKey: this.#sessionKey, ...(runId && { runId }) }
    const { aborted } = await this.#link.call('chat.abort', params, CALL)
    // What was stopped is told by its own event.
    if (!aborted) {
      this.#canvas.say('Nothing is running.', 'dim')
      this.#canvas.space()
      for (const key of this.#unfinished) this.#echo(key)
      this.#unfinished.clear()
      for (const mark of this.#transcript.forgetRuns()) this.#canvas.show(mark)
    }
  }

  async #reset(): Promise<void> {
    await this.#link.call('sessions.reset', { key: this.#sessionKey, idempotencyKey: this.#shell.random.uuid() }, CALL)
    this.#canvas.say('A new conversation; what was said before is no longer known to the agent.', 'dim')
    this.#canvas.space()
  }

  async #compact(): Promise<void> {
    const params = { key: this.#sessionKey, waitSeconds: 0, idempotencyKey: this.#shell.random.uuid() }
    const { runId, reason } = await this.#link.call('sessions.compact', params, CALL)
    // It is a turn like others, and tells by itself how it ended.
    const words = runId === undefined ? `Nothing was summarised: ${reason}.` : 'It is summarised in its turn.'
    this.#canvas.say(words, 'dim')
    this.#canvas.space()
  }

  async #tellStatus(): Promise<void> {
    const [session, gateway] = await Promise.all([
      this.#link.call('sessions.status', { key: this.#sessionKey }, CALL),
      this.#link.call('status', {}, CALL).catch(() => undefined),
    ])
    for (const line of statusLines(session, gateway)) this.#canvas.say(line, 'dim')
    this.#canvas.space()
  }

  #acknowledged(key: string, ack: Ack): void {
    if (ack.status === 'ok' || ack.status === 'error') {
      this.#unfinished.delete(key)
      this.#echo(key)
    }
    const { ahead = 0, queueMode } = ack
    if (ahead > 0) this.#queued.setAhead(key, { ahead, steers: queueMode === 'steer' })
    this.#draw()
  }

  #refused(key: string, error: SluiceError): void {
    this.#unfinished.delete(key)
    this.#echo(key)
    this.#tellError(error)
  }

  #hear(event: GatewayEvent): void {
    const marks = this.#transcript.hear(event)
    const decided = this.#questions.hear(event)
    if (marks.length === 0 && !decided && event.event !== 'agent') return
    for (const mark of marks) this.#show(mark)
    if (decided) this.#canvas.say(decided, 'dim')
    this.#draw()
  }

  #show(mark: Mark): void {
    if (mark.kind === 'begin') this.#echo(mark.runId)
    this.#canvas.show(mark)
    if (mark.kind === 'notice' && mark.source === 'approval') void this.#ask()
    else if (mark.kind === 'notice') {
      this.#canvas.say(liveNotice(mark, this.#zone), 'yellow')
      this.#canvas.space()
      void markRead(this.#link, [mark.id])
    }
    if (mark.kind === 'ended') this.#showEnd(mark)
  }

  #showEnd(mark: Extract<Mark, { kind: 'ended' }>): void {
    this.#unfinished.delete(mark.runId)
    if (mark.how !== 'stopped') void markRead(this.#link, [replyId(mark.runId)])
    const [sign, tone] = mark.how === 'failed' ? (['✗', 'red'] as const) : (['·', 'dim'] as const)
    if (mark.note) this.#canvas.say(sanitizeLine(`${sign} ${mark.note.replace(/^Error: /, '')}`), tone)
    this.#canvas.space()
  }

  #lost(why: string, retryMs: number): void {
    if (this.#connection === '') {
      // What a reply has shown so far stays; the rest of it follows when the gateway is found again.
      if (this.#transcript.running() !== undefined) this.#canvas.show({ kind: 'break' })
      this.#canvas.say(sanitizeLine(why), 'yellow')
    }
    this.#connection = `no connection; trying again in ${formatDuration(retryMs)}`
    this.#draw()
  }

  #found(): void {
    this.#connection = ''
    this.#canvas.say('Connected again.', 'yellow')
    this.#mailbox?.sendAgain()
    this.#draw()
  }

  /** What was missed cannot be told event by event. */
  #anew(): void {
    for (const mark of this.#transcript.forgetRuns()) this.#canvas.show(mark)
    this.#do(() => this.#catchUp())
  }

  /** What still runs, and what was said while nobody listened: replies wait as unread like anything else. */
  async #catchUp(): Promise<void> {
    const session = await this.#link.call('sessions.status', { key: this.#sessionKey }, CALL)
    const running = new Set(session.runs.map(({ runId }) => runId))
    for (const runId of running) this.#transcript.begin(runId)
    // What waits in the mailbox is not known to the gateway yet.
    if (this.#mailbox?.waiting === 0)
      for (const key of [...this.#unfinished].filter(each => !running.has(each))) {
        this.#unfinished.delete(key)
        this.#echo(key)
      }
    await this.#missed()
  }

  #tellError(thrown: unknown): void {
    this.#canvas.say(sanitizeLine(`✗ ${asSluiceError(thrown).message.replace(/^Error: /, '')}`), 'red')
    this.#canvas.space()
    this.#draw()
  }

  #draw(): void {
    this.#canvas.notes = [...this.#queued.notes(), ...this.#status()]
    this.#canvas.draw()
  }

  #status(): string[] {
    if (this.#connection) return [this.#connection]
    if (this.#questions.isOpen) return [this.#questions.hint()]
    if (this.#isBusy()) return ['… Ctrl-C stops']
    return this.#leavingAsked ? ['Ctrl-C again leaves'] : []
  }
}
