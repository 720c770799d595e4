// Drives the loop of one turn against its link: the same code in the gateway's thread and in a worker.
import type { Files } from '../base/world.ts'
import type { ModelChoice } from '../providers/choice.ts'
import type { Model } from '../providers/model.ts'
import { type LoopAnswer, type LoopEnd, type LoopEvent, runLoop } from './loop.ts'
import { withPromptFiles } from './prompt-files.ts'
import type { Runner, TurnLink, TurnOutcome, TurnTask } from './runner.ts'

export type MakeModel = (choice: ModelChoice) => Promise<Model> | Model

const NOTHING: LoopAnswer = { merged: [] }

export interface Performance {
  readonly task: TurnTask
  readonly link: TurnLink
  readonly signal: AbortSignal
  readonly makeModel: MakeModel
  readonly readText: Files['readText']
}

export async function perform({ task, link, signal, makeModel, readText }: Performance): Promise<TurnOutcome> {
  const { promptFiles } = task
  const system = promptFiles ? withPromptFiles(task.system, promptFiles, readText) : task.system
  const loop = runLoop({
    ...task,
    system,
    model: await makeModel(task.model),
    invoke: call => link.invoke(call),
    signal,
  })
  let answer = NOTHING
  for (;;) {
    const next: IteratorResult<LoopEvent, LoopEnd> = await loop.next(answer)
    if (next.done) return next.value
    answer = await commit(link, next.value)
  }
}

async function commit(link: TurnLink, event: LoopEvent): Promise<LoopAnswer> {
  switch (event.type) {
    case 'attempt':
      return await link.attempt(event.model, event.because)
    case 'message':
      return await link.message(event)
    case 'delta':
      link.delta(event.text)
      return NOTHING
  }
}

/** Runs turns in this thread: for tests, the simulator and tools; the gateway uses a thread. */
export function inlineRunner(makeModel: MakeModel, readText: Files['readText'] = () => undefined): Runner {
  return {
    run: (task, link, signal) => perform({ task, link, signal, makeModel, readText }),
    // What it still writes is fenced off; there is no thread to end.
    abandon: () => undefined,
    close: async () => undefined,
  }
}
