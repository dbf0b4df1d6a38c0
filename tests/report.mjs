// Runs checks by name, prints a line each and "N passed, N failed"; whether nothing failed.
export async function run(checks) {
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      console.log(`ok    ${name}`);
    } catch (fault) {
      failed += 1;
      console.log(`FAIL  ${name}\n      ${String(fault?.stack ?? fault).split("\n").slice(0, 12).join("\n      ")}`);
    }
  }
  console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`);
  return failed === 0;
}
