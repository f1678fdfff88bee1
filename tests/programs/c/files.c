/* Files through wasi-libc: write, append, seek, read back, list, rename, remove; and what must fail. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv) {
  char line[64];
  if (argc != 2 || chdir(argv[1])) return 2;
  mkdir("made", 0777);
  FILE *f = fopen("made/one.txt", "w");
  if (!f) return perror("open"), 3;
  for (int i = 0; i < 5; i++) fprintf(f, "line %d: %.3f\n", i, i / 3.0);
  fclose(f);
  f = fopen("made/one.txt", "a+");
  fputs("the end\n", f);
  fseek(f, 14, SEEK_SET);
  if (fgets(line, sizeof line, f)) printf("second: %s", line);
  fclose(f);
  struct stat st;
  stat("made/one.txt", &st);
  printf("size: %lld\n", (long long)st.st_size);
  rename("made/one.txt", "made/two.txt");
  DIR *dir = opendir("made");
  for (struct dirent *e; (e = readdir(dir));)
    if (e->d_name[0] != '.') printf("entry: %s\n", e->d_name);
  closedir(dir);
  printf("gone: %d\n", access("made/one.txt", F_OK) != 0 && errno == ENOENT);
  int outside = open("../../../../../../etc/passwd", O_RDONLY);
  printf("outside: %d\n", outside >= 0);
  unlink("made/two.txt");
  printf("rmdir: %d\n", rmdir("made"));
  return 7;
}
