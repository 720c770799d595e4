// The runner thread's side of the link: turns arrive, are performed side by side, and ask the gateway for everything
// else. It opens no connection to the gateway and keeps nothing when a turn has ended. Between two words it looks for what
// the gateway has answered: a turn's answer does not wait until the words of all others are through.
import { errorFromData, errorToData } from '../base/errors.ts'
import type { Files } from '../base/world.ts'
import type { LoopAnswer } from './loop.ts'
import { type MakeModel, perform } from './perform.ts'
import type { TurnLink, TurnTask } from './runner.ts'
import type { Ask, FromRunner, RunnerPort, ToRunner } from './thread-link.ts'

interface Pending {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

export function hostTurns(port: RunnerPort, makeModel: MakeModel, readText: Files['readText']): void {
  const aborts = new Map<string, AbortController>()
  const asked = new Map<number, Pending>()
  let lastAsk = 0
  // A frame for each word would cost more than the word: what is said in one pass of this loop goes out together.
  let said: { runId: string; text: string }[] = []
  const tell = () => {
    if (said.length > 0) port.post({ type: 'deltas', deltas: said })
    said = []
  }
  const say = (runId: string, text: string) => {
    if (said.length === 0) setImmediate(tell)
    said.push({ runId, text })
    port.look()
  }
  const post = (frame: FromRunner) => {
    tell()
    port.post(frame)
  }

  const ask = (runId: string, body: Ask): Promise<unknown> => {
    lastAsk += 1
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    asked.set(lastAsk, { resolve, reject })
    post({ type: 'ask', runId, ask: lastAsk, body })
    return promise
  }

  const linkOf = (runId: string): TurnLink => ({
    attempt: async (model, because) =>
      (await ask(runId, { kind: 'attempt', model, ...(because !== undefined && { because }) })) as LoopAnswer,
    message: async message => (await ask(runId, { kind: 'message', message })) as LoopAnswer,
    invoke: async call => (await ask(runId, { kind: 'invoke', call })) as { text: string; isError: boolean },
    delta: text => say(runId, text),
  })

  const start = (task: TurnTask) => {
    const controller = new AbortController()
    aborts.set(task.runId, controller)
    perform({ task, link: linkOf(task.runId), signal: controller.signal, makeModel, readText })
      .then(
        outcome => post({ type: 'end', runId: task.runId, outcome }),
        error => post({ type: 'end', runId: task.runId, error: errorToData(error) }),
      )
      .finally(() => aborts.delete(task.runId))
  }

  port.listen((frame: ToRunner) => {
    switch (frame.type) {
      case 'start':
        start(frame.task)
        return
      case 'abort':
        aborts.get(frame.runId)?.abort()
        return
      case 'ping':
        post({ type: 'pong' })
        return
      case 'answer': {
        const pending = asked.get(frame.ask)
        asked.delete(frame.ask)
        if (frame.error) pending?.reject(errorFromData(frame.error))
        else pending?.resolve(frame.value)
      }
    }
  })
}
