/** The CPU time that work takes, in milliseconds. A busy machine does not change it much, unlike the time on the clock. */
export function measureCpuTime(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
