#!/bin/bash
# A sweep on a cluster: an array of jobs, one trial each, and a last job that writes table and picture.
#
#   experiments/sweeps/slurm.sh FILE FOLDER TRIALS [options of sbatch, as --gpus=1 --time=4:00:00 --partition=gpu]
#
# Start it where the recipes' paths begin. A job that is preempted is queued again and goes on with its trial; after
# a time limit the same call goes on with what is unfinished. SOUND2SCENE names the program (.venv/bin/sound2scene).
set -euo pipefail
sound2scene=${SOUND2SCENE:-.venv/bin/sound2scene}

case ${1:-} in
trial) exec "$sound2scene" sweep "$2" -o "$3" --count "$4" --trial "$SLURM_ARRAY_TASK_ID" ;;
table) exec "$sound2scene" sweep "$2" -o "$3" --count "$4" --table ;;
esac

if (($# < 3)) || [[ $1 == -* || ! $3 =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: $0 FILE FOLDER TRIALS [options of sbatch]" >&2
    exit 2
fi
sweep=("$1" "$2" "$3")
options=("${@:4}")
mkdir -p "$2/slurm"
# Two minutes before the end, or when it has to make room, a job hears SIGTERM: it writes last.ckpt and stops.
array=$(sbatch --parsable --job-name=sweep --array="0-$(($3 - 1))" --requeue --open-mode=append \
    --signal=B:TERM@120 --output="$2/slurm/%a.txt" ${options[@]+"${options[@]}"} "$0" trial "${sweep[@]}")
table=$(sbatch --parsable --job-name=sweep-table --dependency="afterany:${array%%;*}" \
    --output="$2/slurm/table.txt" ${options[@]+"${options[@]}"} "$0" table "${sweep[@]}")
echo "trials: job ${array%%;*}, table: job ${table%%;*}; progress: $sound2scene runs $2"
