// The chat without a terminal: each line that comes in is a message, each reply goes out as plain text; ends after the
// reply to the last line. Messages go one after the other, so that replies stand in their order.
import { formatDuration } from '../../base/durations.ts'
import { asSluiceError, SluiceError } from '../../base/errors.ts'
import type { Arguments } from '../arguments.ts'
import { connectFor } from '../gateway-link.ts'
import { replyTexts } from '../replies.ts'
import { EXIT, type Shell } from '../shell.ts'
import { sanitize } from '../text/sanitize.ts'
import { wantedSession } from '../wanted-session.ts'
import { readCommand } from './commands.ts'
import { isConnectionLoss, LastingLink } from './link.ts'
import { liveNotice, markRead, showUnread } from './notices.ts'
import { Questions, questionText } from './questions.ts'
import { type Mark, Transcript } from './transcript.ts'

export async function chatLines(args: Arguments, shell: Shell): Promise<number> {
  const chat = new LineChat(args, shell)
  try {
    return await chat.run()
  } finally {
    chat.stop()
  }
}

class LineChat {
  readonly #shell: Shell
  readonly #wantedKey: string | undefined
  readonly #link: LastingLink
  readonly #lines = new Lines()
  readonly #questions = new Questions()
  #sessionKey = ''
  #transcript = new Transcript([])
  #zone: string
  #back = Promise.withResolvers<void>()
  #failures = 0

  constructor(args: Arguments, shell: Shell) {
    this.#shell = shell
    this.#zone = shell.zone
    this.#wantedKey = wantedSession(args)
    this.#link = new LastingLink(() => connectFor(args, shell), shell.clock, {
      event: event => {
        for (const mark of this.#transcript.hear(event)) if (mark.kind === 'notice') this.#notice(mark)
      },
      down: (why, retryMs) => shell.stderr.write(`${sanitize(why)}; trying again in ${formatDuration(retryMs)}\n`),
      up: () => {
        this.#back.resolve()
        this.#back = Promise.withResolvers()
      },
      tooOld: () => void this.#unread().catch((error: unknown) => this.#tellError(asSluiceError(error))),
    })
  }

  async run(): Promise<number> {
    const { hello } = await this.#link.start()
    this.#sessionKey = this.#wantedKey ?? hello.snapshot.sessionDefaults.mainSessionKey
    const sessionKey = this.#sessionKey
    const session = await this.#link.call('sessions.status', { key: sessionKey })
    this.#zone = session.zone
    this.#transcript = new Transcript([sessionKey, session.sessionKey])
    await this.#unread()
    await this.#ask()
    const stopReading = this.#shell.stdin.read({
      text: chunk => this.#lines.add(chunk),
      end: () => this.#lines.end(),
    })
    for (let line = await this.#lines.next(); line !== undefined; line = await this.#lines.next()) {
      const read = readCommand(line)
      if (read.kind === 'command' && (read.name === 'quit' || read.name === 'exit')) break
      await this.#say(line)
    }
    stopReading()
    return this.#failures > 0 ? EXIT.failed : EXIT.ok
  }

  stop(): void {
    this.#link.stop()
  }

  async #unread(): Promise<void> {
    const [sessionKey, transcript] = [this.#sessionKey, this.#transcript]
    const told = { sessionKey, transcript, zone: this.#zone, clock: this.#shell.clock }
    await showUnread(this.#link, told, lines => this.#print(lines.join('\n')))
  }

  #notice(mark: Extract<Mark, { kind: 'notice' }>): void {
    if (mark.source === 'approval') {
      this.#ask().catch((error: unknown) => this.#tellError(asSluiceError(error)))
      return
    }
    this.#print(liveNotice(mark, this.#zone))
    void markRead(this.#link, [mark.id])
  }

  /** The next line waits for the reply to this one, so the answer to a question has to come from elsewhere. */
  async #ask(): Promise<void> {
    for (const approval of await this.#questions.fresh(this.#link, this.#sessionKey)) {
      const { id } = approval
      this.#shell.stderr.write(
        `${questionText(approval)}\nAnswer with: sluice approve ${sanitize(id)}, or sluice deny ${sanitize(id)}\n`,
      )
    }
  }

  #tellError(error: SluiceError): void {
    this.#shell.stderr.write(`Error: ${sanitize(error.message).replace(/^Error: /, '')}\n`)
  }

  async #say(message: string): Promise<void> {
    if (message.trim() === '') return
    const params = { message, sessionKey: this.#sessionKey, idempotencyKey: this.#shell.random.uuid() }
    for (;;) {
      try {
        const final = await this.#link.call('agent', params, { onEarly: () => undefined })
        if (final.status === 'error') throw new SluiceError('UNAVAILABLE', final.summary ?? 'The run failed.')
        for (const text of replyTexts(final.result)) this.#print(sanitize(text))
        return
      } catch (thrown) {
        const error = asSluiceError(thrown)
        if (!isConnectionLoss(error)) {
          this.#failures += 1
          this.#tellError(error)
          return
        }
        // The same key again: a run that was begun is joined, not begun a second time.
        if (!this.#link.isUp) await this.#back.promise
      }
    }
  }

  #print(text: string): void {
    this.#shell.stdout.write(`${text}\n`)
  }
}

/** Chunks in, lines out. */
class Lines {
  readonly #ready: string[] = []
  #rest = ''
  #ended = false
  #wake: (() => void) | undefined

  add(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n')
    this.#rest = lines.pop() ?? ''
    this.#ready.push(...lines.map(line => line.replace(/\r$/, '')))
    this.#wake?.()
  }

  end(): void {
    if (this.#rest !== '') this.#ready.push(this.#rest)
    this.#rest = ''
    this.#ended = true
    this.#wake?.()
  }

  /** Undefined after the last one. */
  async next(): Promise<string | undefined> {
    while (this.#ready.length === 0 && !this.#ended) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    return this.#ready.shift()
  }
}
