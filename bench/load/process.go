package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

const ticksPerSecond = 100 // USER_HZ, which Linux fixes for /proc

// cpuSeconds returns the user and system time of a process and of its children that have ended.
func cpuSeconds(pid int) (float64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	text := string(stat)
	fields := strings.Fields(text[strings.LastIndex(text, ")")+1:])
	total := 0.0
	for _, field := range fields[11:15] { // utime, stime, cutime, cstime
		ticks, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return 0, err
		}
		total += ticks / ticksPerSecond
	}
	return total, nil
}

// peakMegabytes returns the largest resident size that a process has had.
func peakMegabytes(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(status), "\n") {
		if value, found := strings.CutPrefix(line, "VmHWM:"); found {
			kilobytes, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			return kilobytes / 1000, err
		}
	}
	return 0, fmt.Errorf("process %d has no VmHWM", pid)
}
