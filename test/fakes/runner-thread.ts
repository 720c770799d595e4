// A runner thread whose models are scripted.
import { parentPort } from 'node:worker_threads'
import { hostTurns } from '../../src/turns/thread-host.ts'
import { RunnerPort } from '../../src/turns/thread-link.ts'
import { scriptedModel } from './scripted-model.ts'

if (parentPort)
  hostTurns(
    new RunnerPort(parentPort),
    choice => scriptedModel(choice.ref),
    () => undefined,
  )
