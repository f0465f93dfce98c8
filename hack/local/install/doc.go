// Package install gets the programs that the servers of a one-machine run need.
//
// What it downloads lies in a cache of the user, [Cache], shared by every clone of the project on the machine. An entry of the
// cache is made in a temporary folder and renamed, under a lock: two runs that start at once make it once, and an
// interrupted one leaves nothing that looks complete. Nothing else on the host changes, except that a missing tool is
// installed by apt when the caller is root; when it cannot be, the error says exactly what to install.
package install
