export const UNAVAILABLE = "The kernel does not answer; run the notebook's cells again.";

/** An error whose message is written for the user. */
export class UserError extends Error {}

/** The kernel's refusal of a request, in its own words. */
export class KernelError extends UserError {
  /** @param refused whether a projection rule cannot be applied to the layer */
  constructor(
    message: string,
    readonly refused = false,
  ) {
    super(message);
  }
}

/** The kernel is gone, or did not answer in time. */
export class KernelUnavailable extends UserError {
  constructor() {
    super(UNAVAILABLE);
  }
}

/** Return what to tell the user of an error. The text of any other library's error goes to the console only. */
export function errorMessage(error: unknown): string {
  if (error instanceof UserError) return error.message;
  console.error(error);
  return "Something went wrong in the page; see the browser's console. Try again.";
}
