// Package process starts programs that do not outlive the one that started them.
//
// A program may be killed with its whole tree, stopped with grace, and waited for. Three things make that certain:
//
//   - The kernel kills the child when its parent dies (Pdeathsig). That signal belongs to the thread that forked, so each
//     child is started and waited for on a thread of its own, which lives as long as the child.
//   - A child leads a process group of its own: Ctrl-C in a terminal reaches the parent alone, which then stops its children
//     in the order it wants.
//   - With [Isolation] the child is the first process of a PID namespace: when it ends, by whatever hand, the kernel kills
//     everything that it started. Without (not root), every process carries its [Command.Marker] in the environment, and
//     Kill finds what is left by it.
//
// It speaks to the Linux kernel and builds nowhere else.
package process
