package install

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
)

// KafkaVersion is the version of the broker, as pom.xml names it.
const KafkaVersion = "4.3.1"

// leastJava is the oldest Java that the broker runs on.
const leastJava = 17

//go:embed pom.xml
var pom []byte

// Kafka is an installed broker.
type Kafka struct {
	// Java is the path of the java program.
	Java string
	// ClassPath of the broker, as `java -cp` takes it.
	ClassPath string
}

// Kafka gets Java and the broker's jars, which Maven downloads from Maven Central (or from the mirror of the user's Maven
// settings) and checks.
func (i Installer) Kafka(ctx context.Context) (Kafka, error) {
	java, err := i.java(ctx)
	if err != nil {
		return Kafka{}, err
	}
	dir, err := i.cached(ctx, "kafka-"+KafkaVersion, i.kafkaJars)
	if err != nil {
		return Kafka{}, err
	}
	return Kafka{Java: java, ClassPath: filepath.Join(dir, "lib", "*")}, nil
}

func (i Installer) kafkaJars(ctx context.Context, dir string) error {
	mvn, err := i.tool(ctx, "mvn", "the download of Kafka "+KafkaVersion, "maven")
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "pom.xml")
	if err := os.WriteFile(file, pom, 0o644); err != nil {
		return fmt.Errorf("write pom of Kafka: %w", err)
	}
	return i.Progress.Do(ctx, "download Kafka "+KafkaVersion+" (43 MB)", func(ctx context.Context) error {
		_, err := run(ctx, mvn, "--quiet", "--batch-mode", "--strict-checksums", "-f", file,
			"dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+filepath.Join(dir, "lib"))
		return err
	})
}

// java finds a Java that is new enough.
func (i Installer) java(ctx context.Context) (string, error) {
	path, err := i.tool(ctx, "java", "Kafka "+KafkaVersion, "default-jre-headless")
	if err != nil {
		return "", err
	}
	text, err := run(ctx, path, "-version")
	if err != nil {
		return "", fmt.Errorf("ask java for its version: %w", err)
	}
	if v := javaVersion(text); v < leastJava {
		return "", fmt.Errorf("kafka %s needs Java %d or newer, but %s is Java %d: install a newer one (on Debian, as root, "+
			"`apt-get install openjdk-17-jre-headless`) and put it first in PATH", KafkaVersion, leastJava, path, v)
	}
	return path, nil
}

var javaVersionLine = regexp.MustCompile(`version "(?:1\.)?(\d+)`)

// javaVersion reads the major version from the output of `java -version`; zero when it is not there.
func javaVersion(text string) int {
	match := javaVersionLine.FindStringSubmatch(text)
	if match == nil {
		return 0
	}
	n, _ := strconv.Atoi(match[1])
	return n
}
