#!/usr/bin/env bash
# From an empty folder to the table of the paper's Figure 3, on the toy world: every stage, by public commands alone.
#
#   experiments/from_nothing.sh [FOLDER]        (or: make chain; FOLDER is runs/from_nothing by default)
#
# Everything is made in FOLDER, and nothing of the networks in git is used. A step whose result is there is not done
# again, so that a run that was stopped goes on with the step it was at.
#
# What a step should reach and how long it takes stands in one place, the table of its stage: the page that the step
# names, or `sound2scene recipes STAGE`. In full this takes hours on 2 cores.
#
#   LENGTH=full    as the recipes say (the default)
#   LENGTH=short   a small world and few epochs: each stage clearly above chance (a slow test)
#   LENGTH=step    one step of each training: do the stages fit together? No figure means anything
#
# SOUND2SCENE names the program (by default .venv/bin/sound2scene of this checkout, which `make install` makes).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
sound2scene=${SOUND2SCENE:-$here/.venv/bin/sound2scene}
length=${LENGTH:-full}
folder=${1:-runs/from_nothing}

world=() large=(--train 4096 --test 512) few=() pictures=()
case $length in
full) ;;
short)
    world=(--train 384 --val 64 --test 32) few=(--data.init_args.train_clips 384)
    large=(--train 1024 --val 256 --test 32) pictures=(--data.init_args.train_clips 1024)
    ;;
step)
    world=(--train 64 --val 32 --test 32) few=(--data.init_args.train_clips 64)
    large=("${world[@]}") pictures=("${few[@]}")
    ;;
*)
    echo "$0: LENGTH=$length is none of full, short, step" >&2
    exit 2
    ;;
esac

if ! sound2scene=$(command -v "$sound2scene"); then
    echo "$0: no program sound2scene; run \`make install\`, or name one by SOUND2SCENE" >&2
    exit 2
fi
if [[ $sound2scene != /* ]]; then sound2scene=$PWD/$sound2scene; fi
mkdir -p "$folder"
cd "$folder"

# say NUMBER QUESTION PAGE: what comes, and where its figure and time stand.
say() {
    printf '\n== %s. %s\n   expected figure and time: %s\n' "$1" "$2" "$3"
}

# prepare FOLDER OPTIONS...: the toy world, its videos and its shards.
prepare() {
    "$sound2scene" prepare toy -o "$@"
}

# train RECIPE ARTIFACT EPOCHS OPTIONS...: a stage up to its artifact; EPOCHS and OPTIONS are for a reduced length.
train() {
    local recipe=$1 artifact=$2 reduced=()
    case $length in
    short) reduced=(--trainer.max_epochs "$3" "${@:4}") ;;
    step)
        reduced=(--trainer.max_epochs 1 --trainer.limit_train_batches 1 "${@:4}")
        reduced+=(--trainer.check_val_every_n_epoch 1)
        ;;
    esac
    if [[ -e $artifact/card.json ]]; then
        echo "$artifact: there already"
        return
    fi
    "$sound2scene" fit -c "$recipe" ${reduced[@]+"${reduced[@]}"}
    # Without it, later steps would take the network of that name that came with the package.
    if [[ ! -e $artifact/card.json ]]; then
        echo "$0: $recipe left no $artifact" >&2
        exit 1
    fi
}

toy=experiments/artifacts/toy # where recipes look for networks of the toy world, as seen from FOLDER
own=artifacts/toy             # where they leave the audio encoder and the baselines

say 1 "What is there to hear and to see? Videos with sound, whose truth is known" src/sound2scene/data/README.md
prepare data/toy/shards-true --frame true ${world[@]+"${world[@]}"}

say 2 "When, and where in the picture, is a sound seen? The localizer, without labels" experiments/localizer/README.md
train localizer/toy "$toy/localizer" 8

say 3 "Which moment of each video shows what is heard? The localizer chooses" experiments/localizer/README.md
prepare data/toy/shards-localizer --frame localizer --localizer "$toy/localizer" ${world[@]+"${world[@]}"}

say 4 "What do pictures have in common? A larger world, for the networks that learn from pictures" \
    src/sound2scene/data/README.md
prepare data/toy-large/shards-true --videos data/toy-large/videos --frame true ${large[@]+"${large[@]}"}

say 5 "Which features tell pictures apart, without labels? The image encoder (SwAV)" experiments/encoder/README.md
train encoder/toy "$toy/image-encoder" 24 ${pictures[@]+"${pictures[@]}"}

say 6 "What kind of source does a picture show? The judge, whose features FID and inception score use" \
    experiments/judge/README.md
train judge/toy "$toy/judge" 20 ${pictures[@]+"${pictures[@]}"}

say 7 "How many sources, where and how large? The reader, which measures control" experiments/reader/README.md
train reader/toy "$toy/reader" 16 ${pictures[@]+"${pictures[@]}"}

say 8 "What does a picture look like whose features are known? The generator (an instance-conditioned GAN)" \
    experiments/gan/README.md
train gan/toy "$toy/generator" 20 ${pictures[@]+"${pictures[@]}"} --data.init_args.batch_size 16 \
    --model.init_args.phases.adversarial_start_kimg 10 --model.init_args.phases.ema_decay 0.99

say 9 "Where among the pictures does a sound belong? The audio encoder: the paper's own step" \
    experiments/align/README.md
train align/toy "$own/audio-encoder" 6 ${few[@]+"${few[@]}"} --model.init_args.schedule.init_args.warmup_steps 5

say 10 "What does the baseline of Pedersoli et al. draw? Codes of pictures, then sound onto them" \
    experiments/manifold/README.md
train manifold/toy_autoencoder "$own/manifold-autoencoder" 10 ${few[@]+"${few[@]}"}
train manifold/toy "$own/manifold-audio" 10 ${few[@]+"${few[@]}"}

say 11 "What does the baseline S2I draw? An embedding of sounds, then pictures from it" experiments/s2i/README.md
train s2i/toy_audio "$own/s2i-audio" 5 ${few[@]+"${few[@]}"}
train s2i/toy "$own/s2i-generator" 5 ${few[@]+"${few[@]}"}

say 12 "Who draws what is heard? All of them by one protocol: the table of Figure 3" \
    experiments/README.md#published-figures
rm -f results/figure3.json # an old one would hide that there is no new one
# Status 1 says that a method lacks pictures: sounds of two sources have no class, and no class's mean.
"$sound2scene" evaluate "ours=sound2scene:audio_encoder=$own/audio-encoder" manifold s2i ceiling \
    "nearest:audio_encoder=$own/audio-encoder" "shuffled:audio_encoder=$own/audio-encoder" class_mean \
    --data data/toy/shards-localizer --draws 2 -o results/figure3.json || (($? == 1))
"$sound2scene" compare results/figure3.json --base ours --published -o results/figure3.md

printf '\nthe table: %s\nits pictures: %s\n' "$folder/results/figure3.md" "$folder/results/figure3.png"
